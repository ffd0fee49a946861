"""Making an index anew from the log: without the tombstones that Chroma never gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from store import catalog, index, log, schema
from store.database import opened
from store.errors import IndexDisagrees, LogPurged, StoreError
from store.openers import check_unused
from store.preparation import check_closed, check_prepared
from store.repairing import rebuild_seconds, remove_index
from store.verification import Depth, Remedy, verify


@dataclass(frozen=True, slots=True)
class Renewal:
    """An index that was removed; Chroma makes it again from the log at its first use."""

    path: Path
    collection: str
    freed_bytes: int
    rebuild_rows: int
    """Log rows that Chroma applies for it."""
    rebuild_estimate_s: float
    """How long that takes, on two cores."""


def renew(path: Path, collection_id: str) -> Renewal:
    """Remove the index of a collection whose log holds every vector. The server is stopped, the writer lock held.

    Its number is removed from SQLite first, then its folder, ids first: killed in between, Chroma or a `repair` makes
    it again all the same.

    Raises:
        LogPurged: the log lacks a vector, so the index is its only copy.
        IndexDisagrees: index and log differ, and nothing proves that the log is right.
        StoreError: it is no prepared store, is in use, or has no such collection.
    """
    path = Path(path)
    check_closed(path)
    check_unused(path)
    with opened(path) as database:
        schema.check(database)
        check_prepared(path, database)
        found = next((each for each in catalog.collections(database) if each.id == collection_id), None)
        if found is None or not found.vector_segment:
            raise StoreError(f"{path} has no collection with an index and the id {collection_id!r}.")
        audit = log.audit(database, never_purged=not log.was_vacuumed(database), collection_id=collection_id)
        if audit.unproven:
            raise LogPurged(
                f"the log of {path} lacks {audit.unproven} vectors of {found.label}: its index is their only copy."
            )
        _refuse_disagreement(path, collection_id)
        folder = path / found.vector_segment
        freed = index.size_bytes(folder) if folder.exists() else 0
        database.execute("DELETE FROM max_seq_id WHERE segment_id = ?", (found.vector_segment,))
    remove_index(folder)
    seconds = rebuild_seconds(audit.rows, found.dimensions or 0)
    return Renewal(path, found.label, freed, audit.rows, round(seconds, 1))


def _refuse_disagreement(path: Path, collection_id: str) -> None:
    """Raise when the index holds something that the log does not, and that may be right: it would be gone."""
    found = verify(path, Depth.EMBEDDINGS, only_collection=collection_id)
    if open_ := [each.detail for each in found.findings if each.remedy is not Remedy.REBUILD]:
        raise IndexDisagrees(f"the index is kept as it is: {'; '.join(open_)}")
    if found.busy:
        raise IndexDisagrees(f"the index of {', '.join(found.busy)} changes while it is read: is a server running?")
