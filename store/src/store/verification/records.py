"""Do documents and metadata of the records say what the log says?"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from store.verification.fold import GONE, applied
from store.verification.logged import DELETE, HAS_METADATA, operation_of, seq_of
from store.verification.presence import Tally
from store.verification.subject import Subject

_DOCUMENT = "chroma:document"
_LOGGED = "SELECT seq_id, metadata FROM embeddings_queue WHERE seq_id IN (SELECT value FROM json_each(?))"
_METADATA = """
SELECT id, key, string_value, int_value, float_value, bool_value FROM embedding_metadata
WHERE id IN (SELECT value FROM json_each(?))
"""
_ARRAYS = """
SELECT id, key, string_value, int_value, float_value, bool_value FROM embedding_metadata_array
WHERE id IN (SELECT value FROM json_each(?)) ORDER BY rowid
"""
_TEXTS = "SELECT id, c0 FROM embedding_fulltext_search_content WHERE id IN (SELECT value FROM json_each(?))"
_BATCH = 200
"""Records read in one transaction."""

_Spoken = dict[int, list[int]]
"""Rows of the log that say something about the metadata of an id, by its hash."""


def spoken(rows: Iterable[tuple[int, int]], until: int) -> _Spoken:
    """Which rows made the metadata of each id, since it was created last.

    Args:
        rows: hash of the id and packed row, in order.
        until: the last row that the records have.
    """
    states: dict[int, int | None] = {}
    found: _Spoken = {}
    for hashed, packed in rows:
        if seq_of(packed) > until:
            break
        before = states.get(hashed)
        after = applied(before, packed)
        states[hashed] = after
        if operation_of(packed) == DELETE:
            found.pop(hashed, None)
        elif not before and after:
            found[hashed] = [seq_of(packed)]
        elif before and packed & HAS_METADATA and operation_of(packed) != 0:
            found.setdefault(hashed, []).append(seq_of(packed))
        if after == GONE:
            found.pop(hashed, None)
    return found


def compare(subject: Subject, rows: _Spoken, records: Mapping[int, int], until: int, wrong: Tally) -> int:
    """Compare the records of one part with the log.

    Args:
        subject: the collection.
        rows: from `spoken`.
        records: row of `embeddings` by the hash of the id.
        until: the last row that the records had when they were listed.
        wrong: counts those which differ; keys are rows of `embeddings`.

    Returns:
        How many were compared.
    """
    database = subject.database
    known = sorted((row, hashed) for hashed, row in records.items() if hashed in rows)
    for start in range(0, len(known), _BATCH):
        batch = {row: rows[hashed] for row, hashed in known[start : start + _BATCH]}
        database.execute("BEGIN")
        said, read_bytes = _said(database, batch)
        stored = _stored(database, list(batch))
        for row in batch:
            if row in said and _differ(said[row], stored[row]) and _is_settled(database, row, until):
                wrong.add(row)
        database.execute("COMMIT")
        subject.pace.spent(2 * read_bytes)
    return len(known)


def _differ(said: dict[str, object], stored: dict[str, object]) -> bool:
    """Whether a key says something else; sparse vectors, the only objects, are not looked at."""
    skipped = {key for key, value in said.items() if isinstance(value, dict)}
    return any(said.get(key) != stored.get(key) for key in (said.keys() | stored.keys()) - skipped)


def _said(database: sqlite3.Connection, batch: Mapping[int, list[int]]) -> tuple[dict[int, dict[str, object]], int]:
    """Metadata and document as the log says, by row of `embeddings`, where it can be told; and the bytes read."""
    wanted = [seq_id for seq_ids in batch.values() for seq_id in seq_ids]
    texts = dict(_select(database, _LOGGED, wanted))
    said = {}
    for row, seq_ids in batch.items():
        if all(seq_id in texts for seq_id in seq_ids):
            merged: dict[str, object] = {}
            for seq_id in seq_ids:
                merged |= _parsed(seq_id, texts[seq_id])
            said[row] = {key: value for key, value in merged.items() if value is not None and value != []}
    return said, sum(len(text or "") for text in texts.values())


def _parsed(seq_id: int, text: str | None) -> dict[str, object]:
    try:
        return dict(json.loads(text or "{}"))
    except (TypeError, ValueError):
        return {"": f"row {seq_id} of the log is no JSON object"}


def _stored(database: sqlite3.Connection, rows: list[int]) -> dict[int, dict[str, object]]:
    """Metadata and document as the records have them; a document that the text index lacks is a difference too."""
    found: dict[int, dict[str, object]] = {row: {} for row in rows}
    for row, key, *values in _select(database, _METADATA, rows):
        found[row][key] = _value(*values)
    for row, key, *values in _select(database, _ARRAYS, rows):
        into = found[row].setdefault(key, [])
        if isinstance(into, list):
            into.append(_value(*values))
    documents = [row for row, metadata in found.items() if _DOCUMENT in metadata]
    texts = dict(_select(database, _TEXTS, documents))
    for row in documents:
        if texts.get(row) != found[row][_DOCUMENT]:
            found[row][_DOCUMENT] = None
    return found


def _select(database: sqlite3.Connection, query: str, keys: Iterable[int]) -> list[tuple[Any, ...]]:
    """Rows for several keys, in one statement."""
    return database.execute(query, (json.dumps(list(keys)),)).fetchall()


def _value(text: object, whole: object, real: object, truth: object) -> object:
    if truth is not None:
        return bool(truth)
    return next((value for value in (text, whole, real) if value is not None), None)


def _is_settled(database: sqlite3.Connection, row: int, until: int) -> bool:
    """Whether the record is still there and was not changed since: a running server may do both."""
    found = database.execute("SELECT seq_id FROM embeddings WHERE id = ?", (row,)).fetchone()
    if found is None:
        return False
    seq_id = int.from_bytes(found[0], "big") if isinstance(found[0], bytes) else int(found[0])
    return seq_id <= until
