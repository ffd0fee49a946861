"""One moment of a database that others write, as a file of its own."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from store import catalog, schema
from store.database import database_path, opened
from store.preparation import check_prepared
from store.progress import Progress
from store.staging import sync

_PAGES = 2_000
"""Between two reports of progress: 8 MB."""

_TO_APPLY = """
SELECT count(*) FROM embeddings_queue
JOIN segments ON segments.collection = substr(topic, -36) AND segments.scope = 'VECTOR'
LEFT JOIN max_seq_id ON max_seq_id.segment_id = segments.id
WHERE embeddings_queue.seq_id > coalesce(max_seq_id.seq_id, 0)
"""


def take(source: sqlite3.Connection, stage: Path, progress: Progress) -> None:
    """Copy the database with SQLite's online backup, as it is at one moment. Writers go on in WAL mode.

    The read transaction around it keeps SQLite from starting again whenever somebody writes.
    """
    file = database_path(stage)
    file.touch(mode=0o600)
    target = sqlite3.connect(file, isolation_level=None)
    try:
        target.execute("PRAGMA synchronous = OFF")  # it is synced once, at the end
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        try:
            source.backup(
                target,
                pages=_PAGES,
                progress=lambda _, left, of: progress("copying the log and records", of - left, of),
            )
        finally:
            source.execute("ROLLBACK")
    finally:
        target.close()


@dataclass(frozen=True, slots=True)
class Held:
    """What a finished copy holds."""

    collections: int
    indexes: int
    log_rows: int
    newest_row: int
    rows_to_apply: int
    """Rows after the indexes, all of a collection's without one."""


def set_indexes(stage: Path, saved: Mapping[str, int]) -> Held:
    """Tell the database which indexes lie beside it, each with the last log row that it has.

    Chroma brings them up to date from there, and makes the others anew from the whole log, at their first use.

    Folders of collections that are not in the database, deleted meanwhile, are removed.

    Args:
        stage: where the database and the index folders are.
        saved: last log row by VECTOR segment.

    Raises:
        StoreError: the log does not hold every vector, or the schema is unknown.
    """
    with opened(stage) as database:
        schema.check(database)
        check_prepared(stage, database)
        segments = {each.vector_segment for each in catalog.collections(database)}
        kept = {segment: seq_id for segment, seq_id in saved.items() if segment in segments}
        database.execute("BEGIN IMMEDIATE")
        database.execute("DELETE FROM max_seq_id WHERE segment_id IN (SELECT id FROM segments WHERE scope = 'VECTOR')")
        database.executemany("INSERT INTO max_seq_id (segment_id, seq_id) VALUES (?, ?)", kept.items())
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pending,) = database.execute(_TO_APPLY).fetchone()
        rows, newest = database.execute("SELECT count(*), coalesce(max(seq_id), 0) FROM embeddings_queue").fetchone()
    for gone in saved.keys() - kept.keys():
        shutil.rmtree(stage / gone)
    sync(database_path(stage))
    return Held(collections=len(segments), indexes=len(kept), log_rows=rows, newest_row=newest, rows_to_apply=pending)
