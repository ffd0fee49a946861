"""A candidate put together, and read back: the base's indexes, the archive's log, or one of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from store.database import FILE_NAME
from store.progress import Progress

import store
from backup import bases
from backup.bases import Base
from backup.errors import Damaged
from backup.manifest import Manifest, sha256_of
from backup.repository import Repository
from backup.restoring import log_file, shipped
from backup.restoring.candidates import Candidate
from backup.target import Target


@dataclass(slots=True)
class Attempt:
    """Where it works, and what it found out."""

    target: Target
    repository: Repository
    work: Path
    stage: Path
    progress: Progress
    notes: list[str] = field(default_factory=list)
    fetched_bytes: int = 0

    @property
    def made(self) -> Path:
        """The store that is put together."""
        return self.stage / "store"


def make(attempt: Attempt, candidate: Candidate) -> store.Verification:
    """Put the candidate together in the stage, and read all of it back.

    Raises:
        Damaged, StoreError: it cannot be made whole.
    """
    copy = _fetched(attempt, candidate.base)
    if candidate.point is None:
        if copy is None:
            raise Damaged("its base cannot be read")
        attempt.progress("putting the base together", 0, 1)
        store.copy(copy, attempt.made, progress=attempt.progress)
    else:
        log = _log(attempt, candidate.point)
        # Without a base the log is put beside itself: it has no indexes to offer.
        store.assemble(log, copy or log.parent, attempt.made, progress=attempt.progress)
    return _read_back(attempt, candidate)


def _fetched(attempt: Attempt, base: Base | None) -> Path | None:
    """The base's copy of the store; None without a base, or one whose files are not what they were."""
    if base is None:
        return None
    folder = attempt.work / "base"
    attempt.progress("fetching the base", 0, 1)
    try:
        attempt.repository.restore(base.id, folder)
        if base.manifest is not None:
            _compare(base.manifest, folder / bases.STORE)
    except Damaged as damaged:
        attempt.notes.append(f"base {base.id[:8]} is not used: {damaged}")
        return None
    attempt.fetched_bytes += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    attempt.progress("fetching the base", 1, 1)
    return folder / bases.STORE


def _compare(manifest: Manifest, copy: Path) -> None:
    """Every file against its hash.

    Raises:
        Damaged: one is missing, or is another.
    """
    for entry in manifest.files:
        file = copy / entry.path
        if not file.is_file() or file.stat().st_size != entry.bytes or sha256_of(file) != entry.sha256:
            raise Damaged(f"its file {entry.path} is not the one that its manifest names")


def _log(attempt: Attempt, point: shipped.Point) -> Path:
    pieces, folder = attempt.work / "pieces", attempt.work / "log"
    folder.mkdir(exist_ok=True)
    attempt.progress("fetching the archive", 0, point.bytes)
    shipped.fetch(attempt.target, point, pieces)
    attempt.fetched_bytes += point.bytes
    attempt.progress("fetching the archive", point.bytes, point.bytes)
    made = log_file.make(point, pieces, folder)
    shutil.rmtree(pieces)
    return made.rename(folder / FILE_NAME)


def _read_back(attempt: Attempt, candidate: Candidate) -> store.Verification:
    """Every embedding and record against the log, and a base alone against its manifest.

    Raises:
        Damaged: something is wrong that making an index anew does not mend.
    """
    found = store.verify(attempt.made, store.Depth.EMBEDDINGS, progress=attempt.progress)
    rest = found.undecided
    if rest:
        raise Damaged(f"{len(rest)} things are wrong with it, first: {rest[0].detail}")
    if found.findings:
        mended = store.repair(attempt.made, found)
        attempt.notes.append(f"{len(mended.rebuilt)} indexes will be made anew: {found.findings[0].detail}")
    manifest = candidate.base.manifest if candidate.point is None and candidate.base is not None else None
    if manifest is not None and found.records != manifest.records:
        raise Damaged(f"it has {found.records:,} records, and its manifest says {manifest.records:,}")
    return found
