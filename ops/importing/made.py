"""Which collections an import has made and not finished: a killed one's are removed by the next."""

from __future__ import annotations

import json
from pathlib import Path


class Made:
    """A note on this machine: names and ids. Ids are never given twice, so nobody else's collection is taken for ours.

    Args:
        file: Where it is kept; its folder need not be there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, str]:
        """Name → id, or an empty id; empty when there is no note, or none that can be read."""
        try:
            said = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(id_) for name, id_ in said.items()} if isinstance(said, dict) else {}

    def add(self, name: str, id_: str = "") -> None:
        """Note that one was made; without an id, that it will be now."""
        self._write({**self.read(), name: id_})

    def drop(self, name: str) -> None:
        """Note that one is gone."""
        self._write({known: id_ for known, id_ in self.read().items() if known != name})

    def clear(self) -> None:
        """All that were made are whole."""
        self._file.unlink(missing_ok=True)

    def _write(self, said: dict[str, str]) -> None:
        if not said:
            self.clear()
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._file.with_name(f"{self._file.name}.new")
        temporary.write_text(json.dumps(said))
        temporary.replace(self._file)
