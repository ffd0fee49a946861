"""The restore: the best candidate that can be read, put together, compared and put in place."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from store.aside import ORIGIN, move_aside, replaced
from store.lock_file import DIRECTORY
from store.progress import Progress, silent
from store.staging import is_empty, staged

import store
from backup import bases
from backup.bases import Base
from backup.errors import Damaged, NoBase, NotEmpty
from backup.restoring import shipped
from backup.restoring.attempt import Attempt, make
from backup.restoring.candidates import Candidate, candidates
from backup.restoring.wanted import Wanted, in_words
from backup.target import Target

_WORK, _STAGE = "restore", "restoring"
FETCH_BYTES_PER_S = 30e6
READ_ROWS_PER_S = 15_000
REBUILD_ROWS_PER_S = 500
"""For the estimate alone: a near target, and reading and index building of 100,000 x 384 on two cores."""


class Source(StrEnum):
    """What a store was restored from."""

    ARCHIVE_AND_BASE = "archive and base"
    ARCHIVE = "archive"
    BASE = "base"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. Times are seconds since 1970, durations seconds."""

    wanted: str
    source: Source
    lineage: str
    transaction: int
    base: str
    until_s: float
    """Everything that was acknowledged before is in the store."""
    missing_s: float
    """From there to what was wanted: a moment, or the newest that the target knows of."""
    missing_rows: int
    """Rows of the log that the target knows of, up to the moment, and that are not in the store."""
    collections: int
    records: int
    log_rows: int
    newest_row: int
    rows_to_apply: int
    """That the server applies to the indexes at their first use."""
    verified_vectors: int
    fetched_bytes: int
    took_s: float
    moved_aside: str = ""
    notes: tuple[str, ...] = ()
    """What could not be used, and why."""

    def as_record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def restore(
    target: Target,
    scratch: Path,
    into: Path,
    wanted: Wanted,
    *,
    force: bool = False,
    progress: Progress = silent,
    tell: Callable[[str], None] = lambda _text: None,
) -> Restored:
    """Restore into a directory that holds no data yet.

    Killed at any moment, the next one begins anew, and nothing but what it made itself is removed.

    Args:
        target: where the backup is. It is only read.
        scratch: a folder with room for the backup's files.
        into: where the store shall be; made if it is missing.
        wanted: what to restore.
        force: move what is there aside first, into the store's own folder.
        progress: told of what is being done.
        tell: told what was chosen, what will be missing, and how long it will take.

    Raises:
        NotEmpty: there is a store already.
        NoBase: there is nothing to restore.
        Damaged: nothing of it can be restored whole; the message has a reason for each try.
        BackupError, StoreError: it cannot be read, or the directory cannot be written.
    """
    started_s = time.time()
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    with store.WriterLock(into, program="restore"), _folders(scratch, into) as (work, stage):
        if not force and not is_empty(into):
            raise NotEmpty(
                f"{into} is not empty: a restore never writes over a store. Name a new directory, or have what is "
                "there moved aside (--force)."
            )
        target.check()  # restic would try for minutes, and then say less
        attempt = Attempt(target, bases.repository(target, scratch), work, stage, progress)
        found = bases.find_all(target, attempt.repository)
        chosen, verification = _first_that_works(attempt, wanted, found, tell)
        moved = str(move_aside(into, "before-restore", but=_STAGE)) if not is_empty(into) else ""
        done = _report(
            attempt,
            chosen,
            verification=verification,
            wanted=wanted,
            found=found,
            started_s=started_s,
            moved=moved,
        )
        _put_in_place(attempt.made, into, done)
        return done


def _first_that_works(
    attempt: Attempt, wanted: Wanted, found: tuple[Base, ...], tell: Callable[[str], None]
) -> tuple[Candidate, store.Verification]:
    points = [] if wanted.base else list(_points(attempt, wanted))
    left = list(candidates(wanted, points, found))
    tried: list[Candidate] = []
    if not left:
        raise NoBase(
            f"{attempt.target.words} has nothing for {wanted}: "
            + (f"its bases are {_listed(found)}" if found else "it has no bases")
            + ("" if wanted.base else ", and its archive does not reach it")
            + "."
        )
    while left:
        candidate = left.pop(0)
        tried.append(candidate)
        tell(f"restoring {candidate}: {_outlook(candidate)}")
        try:
            return candidate, make(attempt, candidate)
        except (Damaged, store.StoreError) as problem:
            attempt.notes.append(f"{candidate}: {problem}")
            tell(attempt.notes[-1])
            _clear(attempt.work)
            _clear(attempt.stage)
            if isinstance(problem, shipped.Broken) and candidate.point is not None:
                points = _without(attempt, wanted, points, candidate.point, problem)
                left = [each for each in candidates(wanted, points, found) if each not in tried]
    raise Damaged(f"nothing of {wanted} can be restored whole. " + " ".join(attempt.notes))


def _points(attempt: Attempt, wanted: Wanted) -> Iterator[shipped.Point]:
    for lineage in shipped.lineages(attempt.target):
        try:
            point = shipped.point_of(attempt.target, lineage, wanted.moment_s)
        except Damaged as damaged:
            attempt.notes.append(str(damaged))
            continue
        if point is not None:
            if point.gap:
                attempt.notes.append(f"the archive {lineage} ends at transaction {point.transaction}: {point.gap}")
            yield point


def _without(
    attempt: Attempt, wanted: Wanted, points: list[shipped.Point], point: shipped.Point, broken: shipped.Broken
) -> list[shipped.Point]:
    """The points, with another in place of one whose files are not all whole: what its lineage makes without them."""
    less = shipped.point_of(attempt.target, point.lineage, wanted.moment_s, point.without | broken.pieces)
    return [each for each in (less if each is point else each for each in points) if each is not None]


def _report(
    attempt: Attempt,
    chosen: Candidate,
    *,
    verification: store.Verification,
    wanted: Wanted,
    found: tuple[Base, ...],
    started_s: float,
    moved: str,
) -> Restored:
    inside = store.inspect(attempt.made)
    until_s = wanted.moment_s if wanted.moment_s is not None else max((base.taken_s for base in found), default=0.0)
    known = [base.manifest.newest_row for base in found if base.manifest is not None and base.taken_s <= until_s]
    point, base = chosen.point, chosen.base
    newest_row = max((each.log_seq or 0 for each in inside.collections), default=0)
    source = Source.BASE if point is None else Source.ARCHIVE if base is None else Source.ARCHIVE_AND_BASE
    return Restored(
        wanted=str(wanted),
        source=source,
        lineage=point.lineage if point is not None else "",
        transaction=point.transaction if point is not None else 0,
        base=base.id if base is not None else "",
        until_s=chosen.until_s,
        missing_s=max(0.0, until_s - chosen.until_s) if not wanted.base else 0.0,
        missing_rows=max(0, max(known, default=0) - newest_row) if not wanted.base else 0,
        collections=len(inside.collections),
        records=sum(each.records for each in inside.collections),
        log_rows=inside.log_rows,
        newest_row=newest_row,
        rows_to_apply=sum(each.lag_rows for each in inside.collections),
        verified_vectors=verification.vectors_compared,
        fetched_bytes=attempt.fetched_bytes,
        took_s=time.time() - started_s,
        moved_aside=moved,
        notes=tuple(attempt.notes),
    )


def _put_in_place(made: Path, into: Path, done: Restored) -> None:
    """The store appears at once, with the mark beside it."""
    mark = into / DIRECTORY / ORIGIN
    mark.write_text(json.dumps({**done.as_record(), "restored_s": time.time()}, indent=1) + "\n")
    with staged(into) as partial:
        for entry in made.iterdir():
            entry.rename(partial / entry.name)
    replaced(into)


@contextlib.contextmanager
def _folders(scratch: Path, into: Path) -> Iterator[tuple[Path, Path]]:
    """Empty folders to work in: one for what is fetched, one beside the store for what is made. Both go at the end."""
    work, stage = scratch / _WORK, into / DIRECTORY / _STAGE
    for folder in (work, stage):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
    try:
        yield work, stage
    finally:
        for folder in (work, stage):
            shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _outlook(candidate: Candidate) -> str:
    """What is fetched, how long it takes, and up to when it reaches, in words."""
    manifest = candidate.base.manifest if candidate.base is not None else None
    fetch_bytes = (candidate.point.bytes if candidate.point is not None else 0) + (manifest.bytes if manifest else 0)
    records = manifest.records if manifest is not None else 0
    seconds = fetch_bytes / FETCH_BYTES_PER_S + records / READ_ROWS_PER_S
    return f"about {fetch_bytes / 1e6:,.0f} MB to fetch and {seconds:,.0f} s, up to {in_words(candidate.until_s)}"


def _listed(found: tuple[Base, ...]) -> str:
    return ", ".join(f"{base.id[:8]} ({in_words(base.taken_s)})" for base in found[-5:])
