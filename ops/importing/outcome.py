"""What an import did, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Outcome:
    """An import that came to its end."""

    source: str
    collections: int
    records: int
    seconds: float
    compared: int
    """Vectors that were compared: those of saved indexes with the log, or all with the source."""
    rounded: int = 0
    """Of these, how many differ in the last places, which space cosine does not keep."""
    moved_aside: str = ""
    """Where the stack's former store is, within the store's container."""
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    def as_text(self) -> str:
        """For people."""
        rate = f", {self.records / self.seconds:,.0f} records a second" if self.seconds >= 1 else ""
        lines = [
            f"imported {self.records:,} records in {self.collections:,} collections from {self.source} in "
            f"{self.seconds:.1f} s{rate}",
            f"  {self.compared:,} vectors were compared"
            + (f"; {self.rounded:,} in space cosine differ in the last place" if self.rounded else ""),
        ]
        if self.moved_aside:
            lines.append(f"  what the store held before is in {self.moved_aside}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])
