"""May an older index be used beside a newer log? Only if both come from one history, and the log can bring it up."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from store import catalog, index

_COMPARED_ROWS = 200
_ROWS = """
SELECT seq_id, topic, id, created_at, vector FROM embeddings_queue
WHERE topic LIKE '%' || ? AND seq_id <= ? ORDER BY seq_id DESC LIMIT ?
"""
_SAME = "SELECT topic, id, created_at, vector FROM embeddings_queue WHERE seq_id = ?"
# Ids of the index that are neither records nor mentioned in what the index has still to apply: their deletes are gone.
_UNEXPLAINED = """
SELECT count(*) FROM (
    SELECT id FROM index_ids
    EXCEPT SELECT embedding_id FROM embeddings WHERE segment_id = :records
    EXCEPT SELECT id FROM embeddings_queue WHERE topic LIKE '%' || :collection AND seq_id > :saved)
"""


def why_not(
    log: sqlite3.Connection, older: sqlite3.Connection, collection: catalog.Collection, folder: Path, saved: int
) -> str:
    """Why the index cannot be used with the log; empty when it can.

    Args:
        log: the newer database.
        older: the database that lay beside the index.
        collection: as the newer database has it.
        folder: the index.
        saved: last log row that the index has.

    Raises:
        IndexTorn: the ids of the index cannot be read.
    """
    (newest,) = log.execute(
        "SELECT coalesce(max(seq_id), 0) FROM embeddings_queue WHERE topic LIKE '%' || ?", (collection.id,)
    ).fetchone()
    if newest < saved:
        return f"it is newer than the log: it has row {saved}, the log ends at {newest}"
    shared = 0
    for seq_id, *said in older.execute(_ROWS, (collection.id, saved, _COMPARED_ROWS)):
        row = log.execute(_SAME, (seq_id,)).fetchone()
        if row is not None and list(row) != said:
            return f"it comes from another history: row {seq_id} of its log is not that of the newer one"
        shared += row is not None
    if not shared:
        return "nothing shows that it comes from the same history: its newest rows are not in the log"
    return _unexplained(log, collection, folder, saved)


def _unexplained(log: sqlite3.Connection, collection: catalog.Collection, folder: Path, saved: int) -> str:
    log.execute("CREATE TEMP TABLE IF NOT EXISTS index_ids (id TEXT)")
    log.execute("DELETE FROM index_ids")
    ids: list[tuple[str]] = []

    def seen(id_: str, _label: int) -> None:
        ids.append((id_,))
        if len(ids) >= 10_000:
            store()

    def store() -> None:
        log.executemany("INSERT INTO index_ids VALUES (?)", ids)
        ids.clear()

    log.execute("BEGIN")
    index.read_ids(folder, seen)
    store()
    log.execute("COMMIT")
    asked = {"records": collection.metadata_segment, "collection": collection.id, "saved": saved}
    (left,) = log.execute(_UNEXPLAINED, asked).fetchone()
    return f"a compaction since has dropped the deletes of {left} of its records" if left else ""
