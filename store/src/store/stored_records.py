"""The records of a collection as SQLite has them, in the form in which the log would say them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from store.catalog import number

_BATCH = 500
_RECORDS = """
SELECT id, embedding_id, seq_id, coalesce(strftime('%Y-%m-%d %H:%M:%S', created_at), CURRENT_TIMESTAMP)
FROM embeddings WHERE segment_id = ? AND id > ? ORDER BY id LIMIT ?
"""
_VALUES = """
SELECT id, key, string_value, int_value, float_value, bool_value FROM embedding_metadata
WHERE id IN (SELECT value FROM json_each(?))
"""
_ARRAYS = """
SELECT id, key, string_value, int_value, float_value, bool_value FROM embedding_metadata_array
WHERE id IN (SELECT value FROM json_each(?)) ORDER BY rowid
"""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One live record."""

    id: str
    seq_id: int
    """Log row that last changed it."""
    created_at: str
    metadata: str
    """JSON, with the document under `chroma:document`, as Chroma writes it into the log."""


def read_records(database: sqlite3.Connection, segment: str) -> Iterator[StoredRecord]:
    """All records of a METADATA segment, a few at a time."""
    last = 0
    while rows := database.execute(_RECORDS, (segment, last, _BATCH)).fetchall():
        said = _metadata(database, [row[0] for row in rows])
        for row, id_, seq_id, created_at in rows:
            text = json.dumps(said.get(row, {}), ensure_ascii=False, separators=(",", ":"))
            yield StoredRecord(id=str(id_), seq_id=number(seq_id) or 0, created_at=created_at, metadata=text)
        last = rows[-1][0]


def _metadata(database: sqlite3.Connection, rows: list[int]) -> dict[int, dict[str, object]]:
    found: dict[int, dict[str, object]] = {}
    listed = json.dumps(rows)
    for row, key, *typed in database.execute(_VALUES, (listed,)):
        found.setdefault(row, {})[key] = _value(*typed)
    for row, key, *typed in database.execute(_ARRAYS, (listed,)):
        values = found.setdefault(row, {}).setdefault(key, [])
        if isinstance(values, list):
            values.append(_value(*typed))
    return found


def _value(text: str | None, integer: int | None, real: float | None, boolean: int | None) -> object:
    """The one of the four columns that is set."""
    if boolean is not None:
        return bool(boolean)
    return next((value for value in (text, integer, real) if value is not None), None)
