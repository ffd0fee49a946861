"""Verifying a store: which collections, how deep, and again where something was saved meanwhile."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from store import catalog, index, log, schema
from store.database import check_file, opened_to_read
from store.errors import StoreDamaged
from store.openers import is_in_use
from store.preparation import condition
from store.progress import Progress, silent
from store.verification.closely import Result, verify_closely
from store.verification.findings import Depth, Finding, FindingKind, Remedy, Verification
from store.verification.logged import LoggedRows
from store.verification.pacing import Pace
from store.verification.quick import RowsBehind, fits
from store.verification.saved_state import SavedState
from store.verification.sqlite_check import integrity
from store.verification.subject import Subject

_TRIES = 3
_AGAIN_AFTER_S = 0.3


def verify(
    path: Path,
    depth: Depth = Depth.QUICK,
    *,
    progress: Progress = silent,
    bytes_per_s: int | None = None,
    only_changed_since_ns: int | None = None,
    trust_log_since_ns: int | None = None,
    only_collection: str | None = None,
) -> Verification:
    """Look for damage. Nothing is changed, and the server may run.

    Args:
        path: the store.
        depth: how deep to look. Where `quick` finds that something does not fit, it looks at that collection as deep
            as it goes.
        progress: told what is being read.
        bytes_per_s: reads no faster than this, about; None for as fast as it goes.
        only_changed_since_ns: looks only `quick` at indexes that were not written since (wall clock, nanoseconds), and
            leaves out SQLite's own check.
        trust_log_since_ns: start of a run that did not end cleanly. An index that was written since is wrong where it
            differs from the log.
        only_collection: id of the one collection to look at, and at nothing beside the collections.

    Raises:
        StoreError: it is no store of Chroma 1.5.9, or cannot be read. Damage is a finding, not an error.
    """
    path = Path(path)
    started_ns, started_s = time.time_ns(), time.monotonic()
    run = _Run(
        path, Depth(depth), progress, Pace(bytes_per_s), only_changed_since_ns, trust_log_since_ns, only_collection
    )
    try:
        check_file(path)
        run.in_use = is_in_use(path)
        run.folders = catalog.index_folders(path)  # before SQLite: a new collection's row is there before its folder
        with opened_to_read(path) as database:
            schema.check(database)
            run.verify(database)
    except StoreDamaged as error:
        run.findings.append(Finding(FindingKind.SQLITE_DAMAGED, Remedy.RESTORE, str(error)))
    return Verification(
        path=path,
        depth=run.depth,
        findings=tuple(run.findings),
        busy=tuple(run.busy),
        collections=run.collections,
        deep_collections=run.deep,
        records=run.records,
        vectors_compared=run.vectors,
        bytes_read=run.pace.bytes_read,
        started_ns=started_ns,
        took_s=round(time.monotonic() - started_s, 3),
    )


@dataclass(slots=True)
class _Run:
    """What is looked for, and what was found so far."""

    path: Path
    depth: Depth
    progress: Progress
    pace: Pace
    changed_since_ns: int | None
    trust_since_ns: int | None
    only: str | None
    in_use: bool = False
    folders: frozenset[str] = frozenset()
    findings: list[Finding] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    collections: int = 0
    deep: int = 0
    records: int = 0
    vectors: int = 0

    def verify(self, database: sqlite3.Connection) -> None:
        """Verify everything in the store."""
        found = condition(database)
        complete = found.log_kept and found.marked and not log.was_vacuumed(database)
        everything = catalog.collections(database)
        if self.only is None:
            if not found.log_kept:
                self.findings.append(_log_off(marked=found.marked))
            if self.depth is Depth.EMBEDDINGS and self.changed_since_ns is None:
                self.findings += integrity(database, self.pace, self.progress)
            self.findings += _orphans(self.path, self.folders - catalog.segment_ids(database))
        logged = LoggedRows(database, self.pace, {each.id: each.dimensions or 0 for each in everything})
        behind = RowsBehind(database)
        if self.only is not None:
            everything = tuple(each for each in everything if each.id == self.only)
        self.collections = len(everything)
        for done, each in enumerate(everything):
            self.progress("verifying collections", done, len(everything))
            folder = self.path / each.vector_segment
            self._collection(Subject(database, each, folder, self.pace, log_complete=complete), logged, behind)
        self.progress("verifying collections", len(everything), len(everything))

    def _collection(self, subject: Subject, logged: LoggedRows, behind: RowsBehind) -> None:
        """Verify one collection; again, with fresh numbers, when its index was saved meanwhile."""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_AGAIN_AFTER_S)
                fresh = {each.id: each for each in catalog.collections(subject.database)}.get(subject.collection.id)
                if fresh is None:
                    return  # deleted meanwhile
                subject, behind = replace(subject, collection=fresh), RowsBehind(subject.database)
            before = SavedState.of(subject)
            result = self._judged(subject, before, logged, behind)
            if self.in_use and result.findings:
                time.sleep(_AGAIN_AFTER_S)  # a save that has just begun looks like damage, until the times change
            if SavedState.of(subject) == before:
                self.findings += result.findings
                self.vectors += result.vectors_compared
                self.deep += result.deep
                self.records += _count_records(subject)
                return
        self.busy.append(subject.collection.label)

    def _judged(self, subject: Subject, state: SavedState, logged: LoggedRows, behind: RowsBehind) -> Result:
        collection = subject.collection
        if not (collection.vector_segment and collection.metadata_segment):
            detail = f"collection {collection.label} lacks a segment in SQLite"
            return Result([subject.finding(FindingKind.SEGMENTS_WRONG, Remedy.RESTORE, detail)])
        problem = self._problem(subject, state, behind)
        if problem is None and state.has_ids:
            try:
                if not self._is_deep(state) and fits(subject, behind):
                    return Result()
                depth = self.depth if self._is_deep(state) else Depth.EMBEDDINGS
                return verify_closely(subject, logged, depth, self.progress, trusted=self._is_trusted(state))
            except index.IndexTorn as error:
                problem = subject.torn(error, missing=error.incomplete)
        result = Result([] if problem is None else [problem])
        if self.depth is Depth.EMBEDDINGS:  # log and records are to agree also where there is no index
            others = verify_closely(subject, logged, self.depth, self.progress, trusted=False, has_index=False)
            result = Result(result.findings + others.findings, deep=True)
        return result

    def _problem(self, subject: Subject, state: SavedState, behind: RowsBehind) -> Finding | None:
        """What is wrong already by the look of numbers and times."""
        if not state.has_ids and subject.collection.vector_seq is not None:
            try:
                index.stamp(subject.folder)
            except index.IndexTorn as error:
                return subject.torn(error, missing=error.incomplete)
        if state.has_ids and subject.collection.vector_seq is None and subject.log_complete:
            detail = "the files of an index are there, and SQLite knows of none: a save or a repair was interrupted"
            return subject.finding(FindingKind.SAVE_LEFTOVER, Remedy.REBUILD, detail)
        if subject.saved_seq > behind.newest and subject.log_complete:
            detail = f"the index claims row {subject.saved_seq} of the log, which ends at {behind.newest}"
            return subject.finding(FindingKind.INDEX_WRONG, Remedy.REBUILD, detail)
        if self._is_trusted(state) and state.stamp is not None and not state.stamp.ends_with_ids():
            return subject.torn("a save was interrupted: the ids are older than the elements")
        return None

    def _is_deep(self, state: SavedState) -> bool:
        return self.depth is not Depth.QUICK and state.is_since(self.changed_since_ns, otherwise=True)

    def _is_trusted(self, state: SavedState) -> bool:
        return state.is_since(self.trust_since_ns, otherwise=False)


def _orphans(path: Path, names: frozenset[str]) -> Iterator[Finding]:
    for name in sorted(names):
        size = index.size_bytes(path / name)
        detail = f"{name} belongs to no collection and takes {size:,} bytes"
        yield Finding(FindingKind.ORPHAN_FOLDER, Remedy.REMOVE, detail, segment_id=name)


def _log_off(*, marked: bool) -> Finding:
    since = "was switched off after the store was prepared, most likely by `chroma vacuum`" if marked else "is not kept"
    return Finding(
        FindingKind.LOG_OFF,
        Remedy.PREPARE,
        f"the log {since}: Chroma removes vectors from it, and indexes cannot be rebuilt. Run `prepare`, or `adopt` "
        "where vectors are already missing.",
    )


def _count_records(subject: Subject) -> int:
    (records,) = subject.database.execute(
        "SELECT count(*) FROM embeddings WHERE segment_id = ?", (subject.collection.metadata_segment,)
    ).fetchone()
    return int(records)
