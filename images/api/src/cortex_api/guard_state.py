"""What the guard says about the store: may it be written?"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cortex_api.storage import NotWritable

_RETRY_AFTER_S = 60


class GuardState:
    """Reads the guard's state file, again only when it was replaced.

    A guard that is not there, or a file that cannot be read, forbids nothing: the store itself refuses what it cannot
    take, and a guard that died takes this process with it.
    """

    def __init__(self, path: Path | None) -> None:
        """Args: path: the file; None when no guard started this process."""
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._refusal: NotWritable | None = None

    def check_writable(self) -> None:
        """Return when the store may be written.

        Raises:
            NotWritable: with the guard's reason.
        """
        if self._path is None:
            return
        try:
            status = os.stat(self._path)  # noqa: PTH116 -- once per write
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                self._refusal = _refusal(json.loads(self._path.read_bytes()))
                self._seen = seen
        except (OSError, ValueError):
            return
        if self._refusal is not None:
            raise NotWritable(self._refusal.reason, self._refusal.retry_after_s)


def _refusal(state: object) -> NotWritable | None:
    said = state.get("writable") if isinstance(state, dict) else None
    if not isinstance(said, dict) or said.get("ok") is not False:
        return None
    seconds = said.get("retry_after_s")
    return NotWritable(str(said.get("reason", "")), seconds if isinstance(seconds, int) else _RETRY_AFTER_S)
