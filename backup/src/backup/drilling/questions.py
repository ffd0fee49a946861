"""Questions whose answers are known: rows of a restored store, with the vectors that its log has for them."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from store.database import opened_to_read

import store

ROWS_PER_COLLECTION = 12
_IDS = "SELECT embedding_id FROM embeddings WHERE segment_id = ? ORDER BY id LIMIT 1 OFFSET ?"
_VECTOR = """
SELECT vector FROM embeddings_queue WHERE substr(topic, -36) = ? AND id = ? AND vector IS NOT NULL
ORDER BY seq_id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One row."""

    id: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """Of one collection."""

    id: str
    name: str
    tenant: str
    database: str
    space: str
    records: int
    rows: tuple[Row, ...]
    """Spread over all of them."""


def of_store(path: Path) -> Iterator[Questions]:
    """The questions of each collection of a store that nobody writes.

    Raises:
        StoreError: it cannot be read.
    """
    collections = store.inspect(path).collections
    with opened_to_read(path) as database:
        for view in collections:
            rows = tuple(_rows(database, view)) if view.records else ()
            yield Questions(view.id, view.name, view.tenant, view.database, view.space, view.records, rows)


def _rows(database: sqlite3.Connection, view: store.CollectionView) -> Iterator[Row]:
    count = min(ROWS_PER_COLLECTION, view.records)
    for number in range(count):
        offset = number * (view.records - 1) // max(count - 1, 1)
        (id_,) = database.execute(_IDS, (view.metadata_segment, offset)).fetchone()
        found = database.execute(_VECTOR, (view.id, id_)).fetchone()
        if found is not None:
            vector = bytes(found[0])
            yield Row(str(id_), struct.unpack(f"<{len(vector) // 4}f", vector))
