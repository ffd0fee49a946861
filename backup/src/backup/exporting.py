"""One collection of a store that nobody writes, as lines that the Cortex API's streaming load takes."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from store.database import opened_to_read
from store.stored_records import read_records

import store
from backup.errors import NoCollection

_DOCUMENT = "chroma:document"
_MODEL = "cortex:model"
_NEWEST = """
SELECT id, max(seq_id) FROM embeddings_queue WHERE substr(topic, -36) = ? AND vector IS NOT NULL GROUP BY id
"""
_VECTOR = "SELECT vector FROM embeddings_queue WHERE seq_id = ?"
_METADATA = "SELECT str_value FROM collection_metadata WHERE collection_id = ? AND key = ?"


def lines(path: Path, name: str) -> Iterator[str]:
    """The collection itself first, then one line for each record.

    Args:
        path: the store.
        name: of the collection; with its database and tenant (`tenant/database/name`) where several have it.

    Raises:
        NoCollection: there is none of that name, or there are several.
        StoreError: the store cannot be read.
    """
    view = _view(path, name)
    with opened_to_read(path) as database:
        model = database.execute(_METADATA, (view.id, _MODEL)).fetchone()
        yield json.dumps(
            {
                "collection": view.name,
                "space": view.space,
                "dimensions": view.dimensions,
                "embedding": "model" if model else "own",
                "records": view.records,
            }
        )
        newest = {str(id_): int(row) for id_, row in database.execute(_NEWEST, (view.id,))}
        for record in read_records(database, view.metadata_segment):
            yield json.dumps(_line(database, record.id, record.metadata, newest[record.id]))


def _line(database: sqlite3.Connection, id_: str, metadata_json: str, row: int) -> dict[str, Any]:
    (vector,) = database.execute(_VECTOR, (row,)).fetchone()
    raw = bytes(vector)
    metadata = json.loads(metadata_json)
    text = metadata.pop(_DOCUMENT, None)
    line: dict[str, Any] = {"id": id_, "vector": list(struct.unpack(f"<{len(raw) // 4}f", raw))}
    return {**line, **({"text": text} if text is not None else {}), **({"metadata": metadata} if metadata else {})}


def _view(path: Path, name: str) -> store.CollectionView:
    views = store.inspect(path).collections
    found = [view for view in views if name in {view.name, f"{view.tenant}/{view.database}/{view.name}"}]
    if len(found) != 1:
        known = ", ".join(sorted(f"{view.tenant}/{view.database}/{view.name}" for view in views)[:20])
        problem = "there is no collection" if not found else "there are several collections"
        raise NoCollection(f"{problem} {name!r} in the backup; it has {known or 'none'}.")
    return found[0]
