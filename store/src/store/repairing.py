"""Mending a store from its log: damaged indexes are made again by Chroma, what belongs to nothing is removed."""

from __future__ import annotations

import datetime
import os
import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from store import catalog, index, log, schema
from store.database import opened
from store.index.files import IDS
from store.lock_file import DIRECTORY
from store.openers import check_unused
from store.preparation import check_closed, condition
from store.progress import Progress, silent
from store.verification import Depth, Finding, FindingKind, Remedy, Verification, verify

ASIDE = "aside"
"""Directory in `.cortex` for what repair does not dare to delete."""

_REBUILD_S_PER_ROW = 0.00005
_REBUILD_S_PER_VALUE = 1.75e-6
"""Measured with Chroma 1.5.9 on two cores: 20,000 x 128 in 3.3 s, 64,000 x 384 in 43 s (docs/store.md)."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What was found, and what was done about it."""

    path: Path
    verification: Verification
    rebuilt: tuple[str, ...]
    """Collections whose index Chroma makes again from the log at first use."""
    rebuild_rows: int
    """Log rows that it applies for that."""
    rebuild_estimate_s: float
    """How long that takes, on two cores."""
    removed: tuple[str, ...]
    """Folders that belonged to nothing."""
    removed_bytes: int
    aside: tuple[Path, ...]
    """Folders that may be a last copy, moved out of Chroma's way. Their collections lack vectors, or are gone."""
    undecided: tuple[Finding, ...]
    """What was left as it is: an archive, a base or another command is needed."""
    busy: tuple[str, ...]
    """Collections that could not be judged."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.undecided or self.aside or self.busy)


def repair(
    path: Path,
    verification: Verification | None = None,
    *,
    depth: Depth = Depth.QUICK,
    only_changed_since_ns: int | None = None,
    trust_log_since_ns: int | None = None,
    progress: Progress = silent,
) -> Repair:
    """Mend what can be mended from the log. The server must be stopped; the caller holds the `WriterLock`.

    For an index: its number is removed from SQLite first, then its folder, ids first. Killed in between, a second run
    finds what is left and completes it. A collection about which anything is undecided is not touched at all. Nothing
    is deleted unless the log holds every vector of it; otherwise it is moved to `.cortex/aside`.

    Args:
        path: the store.
        verification: what was found before; None to look now.
        depth: how deep to look now.
        only_changed_since_ns: as for `verify`.
        trust_log_since_ns: as for `verify`.
        progress: told what is being done.

    Raises:
        StoreError: it is no store, cannot be written, or is in use.
    """
    path = Path(path)
    check_closed(path)
    check_unused(path)
    if verification is None:
        verification = verify(
            path,
            depth,
            progress=progress,
            only_changed_since_ns=only_changed_since_ns,
            trust_log_since_ns=trust_log_since_ns,
        )
    damaged = any(each.kind is FindingKind.SQLITE_DAMAGED for each in verification.findings)
    left = verification.findings if damaged else verification.undecided
    open_ = {each.collection_id for each in left if each.collection_id}
    todo = {
        each.segment_id: each for each in verification.findings if each not in left and each.collection_id not in open_
    }
    mending = _Mending(path)
    if todo:
        with opened(path) as database:
            schema.check(database)
            found = condition(database)
            mending.log_kept = found.log_kept and found.marked and not log.was_vacuumed(database)
            for done, finding in enumerate(todo.values()):
                progress("repairing", done, len(todo))
                mending.mend(database, finding)
            progress("repairing", len(todo), len(todo))
    return Repair(
        path=path,
        verification=verification,
        rebuilt=tuple(mending.rebuilt),
        rebuild_rows=mending.rebuild_rows,
        rebuild_estimate_s=round(mending.rebuild_s, 3),
        removed=tuple(mending.removed),
        removed_bytes=mending.removed_bytes,
        aside=tuple(mending.aside),
        undecided=tuple(each for each in verification.findings if each in left or each.collection_id in open_),
        busy=verification.busy,
    )


def rebuild_seconds(rows: int, dimensions: int) -> float:
    """How long Chroma takes to make an index from so many log rows, in seconds, on two cores."""
    return rows * (_REBUILD_S_PER_ROW + _REBUILD_S_PER_VALUE * dimensions) if rows else 0.0


def remove_index(folder: Path) -> None:
    """Delete an index folder; the ids first, without which Chroma takes the rest for an index never saved."""
    (folder / IDS).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
    _sync(folder.parent)


@dataclass(slots=True)
class _Mending:
    path: Path
    log_kept: bool = False
    """Since the first data, so that the log holds every vector, unless something damaged it."""
    rebuilt: list[str] = field(default_factory=list)
    rebuild_rows: int = 0
    rebuild_s: float = 0.0
    removed: list[str] = field(default_factory=list)
    removed_bytes: int = 0
    aside: list[Path] = field(default_factory=list)

    def mend(self, database: sqlite3.Connection, finding: Finding) -> None:
        folder = self.path / finding.segment_id
        if finding.remedy is Remedy.REMOVE:
            self._remove(database, folder)
        else:
            self._rebuild(database, finding, folder)

    def _remove(self, database: sqlite3.Connection, folder: Path) -> None:
        """Remove a folder that belongs to nothing, after a last look whether that is still so."""
        if folder.name in catalog.segment_ids(database) or not catalog.is_index_folder(folder):
            return
        size = index.size_bytes(folder)
        if self.log_kept:
            remove_index(folder)
            self.removed.append(folder.name)
            self.removed_bytes += size
        else:
            self._put_aside(folder, "orphan")

    def _rebuild(self, database: sqlite3.Connection, finding: Finding, folder: Path) -> None:
        audit = log.audit(database, never_purged=self.log_kept, collection_id=finding.collection_id)
        database.execute("DELETE FROM max_seq_id WHERE segment_id = ?", (finding.segment_id,))
        if audit.unproven == 0:
            remove_index(folder)
        elif folder.exists():
            self._put_aside(folder, "index")
        self.rebuilt.append(finding.collection_name)
        self.rebuild_rows += audit.rows
        self.rebuild_s += rebuild_seconds(audit.rows, _dimensions(database, finding.collection_id))

    def _put_aside(self, folder: Path, what: str) -> None:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        target = self.path / DIRECTORY / ASIDE / f"{now}-{what}"
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.rename(target / folder.name)
        _sync(target)
        _sync(self.path)
        self.aside.append(target / folder.name)


def _dimensions(database: sqlite3.Connection, collection_id: str) -> int:
    row = database.execute("SELECT dimension FROM collections WHERE id = ?", (collection_id,)).fetchone()
    return int(row[0] or 0) if row else 0


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
