"""`adopt`: taking over a store whose log Chroma has purged, by writing what its indexes hold into the log."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from store import catalog, log, schema
from store.database import opened
from store.errors import StoreDamaged, StoreError
from store.index import IndexTorn
from store.index_vectors import IndexVectors
from store.logged_vectors import GONE, setting_rows
from store.openers import check_unused
from store.preparation import MARK, check_closed, condition, prepare
from store.progress import Progress, silent
from store.stored_records import StoredRecord, read_records
from store.verification import Depth, Finding, FindingKind, Remedy, verify

TOPIC = "persistent://default/default/"
"""Chroma 1.5.9 writes and reads every collection's rows under this prefix, whatever their tenant and database."""

_EXPECTED = frozenset({FindingKind.LOG_OFF, FindingKind.LOG_PURGED, FindingKind.ORPHAN_FOLDER})
"""Findings that a stock store may have."""
_ROW_BYTES = 400
_MARGIN_BYTES = 64 << 20

_WRITE = """
INSERT INTO embeddings_queue (seq_id, created_at, operation, topic, id, vector, encoding, metadata)
VALUES (?, ?, 2, ?, ?, ?, 'FLOAT32', ?)
"""
_COMPLETE = """
UPDATE embeddings_queue SET operation = 2, vector = ?, encoding = 'FLOAT32', metadata = ?
WHERE seq_id = ? AND NOT (operation = 2 AND vector IS ? AND metadata IS ?)
"""
_OLDER = """
SELECT embeddings_queue.seq_id, embeddings.seq_id FROM embeddings_queue
LEFT JOIN embeddings ON embeddings.segment_id = ? AND embeddings.embedding_id = embeddings_queue.id
WHERE topic = ? AND embeddings_queue.seq_id > ? ORDER BY embeddings_queue.seq_id LIMIT ?
"""
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was taken over."""

    path: Path
    collections: int
    records: int
    written: int
    """Rows that the log lacked, with the vector from the index."""
    completed: int
    """Rows of the log that lacked the vector, or part of the metadata."""
    changed: tuple[str, ...]
    """What `prepare` changed afterwards, in words."""
    seconds: float

    @property
    def was_adopted(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.written or self.completed or self.changed)


def adopt(path: Path, *, progress: Progress = silent) -> Adoption:
    """Make a stock store durable: afterwards its log holds every record whole, and stays on.

    Each record gets one log row, under the number of the row that changed it last: an upsert with its vector and all
    its metadata. All rows and the setting are one transaction, so that a crash leaves the store as it was. Indexes are
    left as they are. The server must be stopped; the caller holds the `WriterLock`.

    Args:
        path: a store of Chroma 1.5.9. One that is prepared already is left alone.
        progress: told of records.

    Raises:
        StoreDamaged: an index is damaged, or a record's vector is nowhere: nothing is changed.
        StoreError: otherwise; nothing is changed.
    """
    path = Path(path)
    started_s = time.monotonic()
    check_closed(path)
    check_unused(path)
    with opened(path) as database:
        schema.check(database)
        found = condition(database)
        whole = found.marked and found.log_kept and not log.was_vacuumed(database)
        collections = catalog.collections(database)
    if whole:
        changed = prepare(path).changed
        return Adoption(path, len(collections), 0, 0, 0, changed, time.monotonic() - started_s)
    _refuse_damaged(path, progress)
    with opened(path) as database:
        _check_room(path, database, collections)
        taken = _Taken(database, path, progress, _count_records(database))
        database.execute("BEGIN IMMEDIATE")
        with _rolled_back(database):
            for each in collections:
                taken.take(each)
            log.keep(database, log.setting(database))
            log.forget_vacuum(database)
            database.execute(f"PRAGMA application_id = {MARK}")
        database.execute("COMMIT")
    changed = prepare(path, thorough=True).changed
    return Adoption(
        path=path,
        collections=len(collections),
        records=taken.records,
        written=taken.written,
        completed=taken.completed,
        changed=("the log is kept (automatically_purge: false)", "the store is marked as prepared", *changed),
        seconds=time.monotonic() - started_s,
    )


def _refuse_damaged(path: Path, progress: Progress) -> None:
    """Raise unless every index is whole and agrees with what the log still says."""
    found = verify(path, Depth.EMBEDDINGS, progress=progress)
    wrong = [each for each in found.findings if not _is_expected(each)]
    if wrong:
        listed = "; ".join(f"{each.collection_name or 'store'}: {each.detail}" for each in wrong[:3])
        raise StoreDamaged(
            f"{path} cannot be adopted, since its indexes are the only copy of its vectors and not all are whole: "
            f"{listed}{f' (and {len(wrong) - 3} more)' if len(wrong) > 3 else ''}. `python -m store verify --depth "
            "embeddings` lists everything. Restore a backup from before, or delete those collections with Chroma and "
            "adopt the rest."
        )


def _is_expected(finding: Finding) -> bool:
    return finding.kind in _EXPECTED and finding.remedy is not Remedy.RESTORE


def _check_room(path: Path, database: sqlite3.Connection, collections: tuple[catalog.Collection, ...]) -> None:
    """Raise when the volume surely has no room: SQLite would find out too, hours later perhaps."""
    needed = _MARGIN_BYTES
    for each in collections:
        (records,) = database.execute(
            "SELECT count(*) FROM embeddings WHERE segment_id = ?", (each.metadata_segment,)
        ).fetchone()
        needed += records * (4 * (each.dimensions or 0) + _ROW_BYTES)
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    if free < needed:
        raise StoreError(
            f"adopting {path} writes about {needed:,} bytes into its log, and {free:,} are free: make room, then try "
            "again."
        )


def _count_records(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM embeddings").fetchone()[0])


@contextlib.contextmanager
def _rolled_back(database: sqlite3.Connection) -> Iterator[None]:
    """Undo the transaction on an error, before the connection is closed."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


@dataclass(slots=True)
class _Taken:
    """Collections taken over so far, within one transaction."""

    database: sqlite3.Connection
    path: Path
    progress: Progress
    of: int
    records: int = 0
    written: int = 0
    completed: int = 0

    def take(self, collection: catalog.Collection) -> None:
        """Write every record of a collection into the log, whole.

        Raises:
            StoreDamaged: a vector is nowhere, or a record's place in the log is taken.
        """
        until = collection.metadata_seq or 0
        if collection.vector_seq is None:
            rows = setting_rows(self.database, collection.id, after=0, until=until, exists=lambda _: False)
            self._write_all(collection, lambda id_: self._logged(rows.get(id_, GONE)))
            self._drop_older_rows(collection)
            return
        try:
            with IndexVectors(self.database, self.path / collection.vector_segment, collection.space) as vectors:
                saved = collection.vector_seq
                rows = setting_rows(self.database, collection.id, after=saved, until=until, exists=vectors.has)
                self._write_all(collection, lambda id_: self._logged(rows[id_]) if id_ in rows else vectors.get(id_))
            self._drop_older_rows(collection)
        except IndexTorn as torn:
            raise StoreDamaged(f"the index of {collection.label} in {self.path} is damaged: {torn}") from torn

    def _write_all(self, collection: catalog.Collection, vector_of: Callable[[str], bytes | None]) -> None:
        for record in read_records(self.database, collection.metadata_segment):
            vector = vector_of(record.id)
            if vector is not None:
                self._write(collection, record, vector)
            elif not self._is_deleted_later(collection, record.id):
                raise StoreDamaged(
                    f"the vector of record {record.id} of {collection.label} in {self.path} is neither in its index "
                    "nor in its log. Restore a backup from before."
                )
            self.records += 1
            self.progress("writing records into the log", self.records, self.of)

    def _write(self, collection: catalog.Collection, record: StoredRecord, vector: bytes) -> None:
        topic = TOPIC + collection.id
        row = self.database.execute(
            "SELECT topic, id, vector FROM embeddings_queue WHERE seq_id = ?", (record.seq_id,)
        ).fetchone()
        if record.seq_id < 1 or (row is not None and row[:2] != (topic, record.id)):
            raise StoreDamaged(
                f"record {record.id} of {collection.label} in {self.path} was last changed by row {record.seq_id} of "
                "the log, which belongs to another record. Restore a backup from before."
            )
        if row is None:
            given = (record.seq_id, record.created_at, topic, record.id, vector, record.metadata)
            self.database.execute(_WRITE, given)
            self.written += 1
        else:  # a vector that is there is the record's: the row changed it last, and in space cosine it is not rounded
            whole = (row[2] or vector, record.metadata)
            self.completed += self.database.execute(_COMPLETE, (*whole, record.seq_id, *whole)).rowcount

    def _logged(self, seq_id: int) -> bytes | None:
        if seq_id == GONE:
            return None
        return bytes(
            self.database.execute("SELECT vector FROM embeddings_queue WHERE seq_id = ?", (seq_id,)).fetchone()[0]
        )

    def _is_deleted_later(self, collection: catalog.Collection, id_: str) -> bool:
        """Whether a row which the records have not applied yet deletes the record."""
        return (
            self.database.execute(
                "SELECT 1 FROM embeddings_queue WHERE topic = ? AND seq_id > ? AND id = ? AND operation = 3 LIMIT 1",
                (TOPIC + collection.id, collection.metadata_seq or 0, id_),
            ).fetchone()
            is not None
        )

    def _drop_older_rows(self, collection: catalog.Collection) -> None:
        """Drop the rows that the whole ones take the place of: merged into these, they would bring back old keys."""
        last = 0
        topic = TOPIC + collection.id
        while rows := self.database.execute(_OLDER, (collection.metadata_segment, topic, last, _BATCH)).fetchall():
            older = [(seq_id,) for seq_id, changed in rows if changed is not None and seq_id < catalog.number(changed)]
            self.database.executemany("DELETE FROM embeddings_queue WHERE seq_id = ?", older)
            last = rows[-1][0]
