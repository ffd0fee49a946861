"""SQLite's own check of its file, slowed down where asked."""

from __future__ import annotations

import sqlite3
import time

from store.progress import Progress
from store.verification.findings import Finding, FindingKind, Remedy
from store.verification.pacing import Pace

_UNPACED_BYTES_PER_S = 300_000_000
"""What the check reads without pauses, roughly."""
_LEAST_SHARE = 0.25
"""Of the time that the check works when paced: it is one transaction, and while it lasts a running server cannot
shorten its write-ahead log."""
_INSTRUCTIONS = 50_000
_SHOWN = 5


def integrity(database: sqlite3.Connection, pace: Pace, progress: Progress) -> list[Finding]:
    """Run `PRAGMA integrity_check`: pages, indexes and rows of the whole file, but no content of a row."""
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
    progress("checking SQLite's file", 0, 1)
    if pace.bytes_per_s:
        share = max(_LEAST_SHARE, min(1.0, pace.bytes_per_s / _UNPACED_BYTES_PER_S))
        database.set_progress_handler(_Pauses(share), _INSTRUCTIONS)
    try:
        lines = [str(line) for (line,) in database.execute(f"PRAGMA integrity_check({_SHOWN})")]
    finally:
        database.set_progress_handler(None, 0)
    pace.bytes_read += pages * page_bytes
    progress("checking SQLite's file", 1, 1)
    if lines == ["ok"]:
        return []
    return [Finding(FindingKind.SQLITE_DAMAGED, Remedy.RESTORE, f"SQLite finds: {'; '.join(lines)}")]


class _Pauses:
    """SQLite's progress handler: sleeps so long that the work takes only its share of the time."""

    def __init__(self, share: float) -> None:
        self._rest_per_work = 1.0 / share - 1.0
        self._since_s = time.monotonic()

    def __call__(self) -> int:
        worked_s = time.monotonic() - self._since_s
        time.sleep(worked_s * self._rest_per_work)
        self._since_s = time.monotonic()
        return 0
