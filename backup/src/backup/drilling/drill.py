"""A drill: restore into scratch, start a server on it, ask it, and say how long it took and what was missing."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from store.progress import Progress, silent

import store
from backup.drilling import questions
from backup.drilling.answers import Answered, ask_all
from backup.drilling.server import running
from backup.errors import BackupError, Busy
from backup.restoring.restore import REBUILD_ROWS_PER_S, Restored, restore
from backup.restoring.wanted import Wanted
from backup.target import Target

VERSION = 1
_FOLDER, _LOCK = "drill", "drill.lock"
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a drill. Times are seconds since 1970, durations seconds."""

    wanted: str
    started_s: float
    ended_s: float
    passed: bool
    why: str
    """What was wrong; empty when it passed."""
    rto_s: float | None
    """From the begin of the restore to the first right answer; None when there was none."""
    rpo_s: float | None
    """Age, at the begin, of the state that was restored."""
    restored: dict[str, Any] | None
    rows_read: int
    searches: int
    found: int

    @property
    def base(self) -> str:
        """Id of the base that was read back; empty when none was."""
        return str(self.restored["base"]) if self.restored else ""

    def as_record(self) -> dict[str, Any]:
        """As JSON."""
        return {"version": VERSION, **asdict(self), "base": self.base}


def drill(target: Target, scratch: Path, wanted: Wanted, *, progress: Progress = silent) -> Report:
    """Do it. What is wrong with the backup is in the report; nothing but scratch is written.

    Args:
        target: where the backup is.
        scratch: a folder with room for the backup's files and the store.
        wanted: what to restore.
        progress: told of what is being done.

    Raises:
        Busy: another drill is under way in the same scratch.
    """
    with _alone(scratch), _emptied(scratch / _FOLDER) as folder:
        started_s = time.time()
        restored: Restored | None = None
        answered, first_s, why = Answered(), None, ""

        def first() -> None:
            nonlocal first_s
            first_s = time.time()

        try:
            restored = restore(target, folder, folder / "store", wanted, progress=progress)
            asked = tuple(questions.of_store(folder / "store"))
            progress("asking a server", 0, len(asked))
            limit_s = _START_S + restored.rows_to_apply / REBUILD_ROWS_PER_S
            with running(folder / "store", folder, limit_s) as server:
                answered = ask_all(server, asked, first)
            progress("asking a server", len(asked), len(asked))
        except (BackupError, store.StoreError) as problem:
            why = str(problem)
        if restored is not None and restored.notes and not why:
            # It came back, and not by the way it should: what is rotten now is what the next restore needs.
            why = restored.notes[0]
        return Report(
            wanted=str(wanted),
            started_s=started_s,
            ended_s=time.time(),
            passed=not why,
            why=why,
            rto_s=first_s - started_s if first_s is not None else None,
            rpo_s=max(0.0, started_s - restored.until_s) if restored is not None else None,
            restored=restored.as_record() if restored is not None else None,
            rows_read=answered.rows,
            searches=answered.searches,
            found=answered.found,
        )


@contextlib.contextmanager
def _alone(scratch: Path) -> Iterator[None]:
    with (scratch / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy("another drill is under way. Try again later; the lock ends with its process.") from None
        yield


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
