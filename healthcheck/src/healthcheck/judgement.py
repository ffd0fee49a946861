"""What the guard thinks about one thing, and about the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from healthcheck.line import as_line


class Verdict(StrEnum):
    """How one thing, or the whole, is."""

    OK = "ok"
    DEGRADED = "degraded"
    """A threshold is crossed: it serves, and somebody should look."""
    FAILING = "failing"
    """It does not serve."""
    UNKNOWN = "unknown"
    """It could not be measured."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One thing that was judged."""

    name: str
    value: float | None
    """Measured value in `unit`; None when there is none."""
    limit: float | None
    """Value from which on it is not ok (below which, for times to a limit); None where it is yes or no."""
    unit: str
    """`ms`, `s`, `h`, `%`, `rows`, or empty for counts and for yes or no."""
    verdict: Verdict
    message: str
    """One line without names or paths of data: the figures behind the value, and what to do when it is not ok."""

    def as_dict(self) -> dict[str, object]:
        """For JSON; the value rounded to what can be meant."""
        return {
            "name": self.name,
            "value": None if self.value is None else round(self.value, 2),
            "limit": self.limit,
            "unit": self.unit,
            "verdict": str(self.verdict),
            "message": self.message,
        }

    def as_line(self) -> str:
        """One line of text."""
        return as_line(str(self.verdict), self.name, self.value, self.limit, self.unit, self.message)


def overall(judgements: Iterable[Judgement]) -> Verdict:
    """The worst: failing, then degraded, then unknown, then ok."""
    verdicts = {judgement.verdict for judgement in judgements}
    for worst in (Verdict.FAILING, Verdict.DEGRADED, Verdict.UNKNOWN):
        if worst in verdicts:
            return worst
    return Verdict.OK
