"""Do documents and metadata of the records say what the log says?"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from store.verification.fold import GONE, applied
from store.verification.logged import DELETE, HAS_METADATA, operation_of, seq_of
from store.verification.presence import Tally
from store.verification.subject import Subject

_DOCUMENT = "chroma:document"
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
        database.execute("BEGIN")
        read_bytes = 0
        for row, hashed in known[start : start + _BATCH]:
            said, size = _said(database, rows[hashed])
            read_bytes += size
            if said is not None and _differ(said, _stored(database, row)) and _is_settled(database, row, until):
                wrong.add(row)
        database.execute("COMMIT")
        subject.pace.spent(2 * read_bytes)
    return len(known)


def _differ(said: dict[str, object], stored: dict[str, object]) -> bool:
    """Whether a key says something else; sparse vectors, the only objects, are not looked at."""
    skipped = {key for key, value in said.items() if isinstance(value, dict)}
    return any(said.get(key) != stored.get(key) for key in (said.keys() | stored.keys()) - skipped)


def _said(database: sqlite3.Connection, rows: list[int]) -> tuple[dict[str, object] | None, int]:
    """Metadata and document as the log says; None when it cannot be told; and the bytes that were read."""
    merged: dict[str, object] = {}
    size = 0
    for seq_id in rows:
        found = database.execute("SELECT metadata FROM embeddings_queue WHERE seq_id = ?", (seq_id,)).fetchone()
        if found is None:
            return None, size
        text = found[0] or "{}"
        size += len(text)
        try:
            merged |= json.loads(text)
        except (TypeError, ValueError):
            merged[""] = f"row {seq_id} of the log is no JSON object"
    return {key: value for key, value in merged.items() if value is not None and value != []}, size


def _stored(database: sqlite3.Connection, row: int) -> dict[str, object]:
    """Metadata and document as the record has them; a document that the text index lacks is a difference too."""
    found: dict[str, object] = {}
    for key, text, whole, real, truth in database.execute(
        "SELECT key, string_value, int_value, float_value, bool_value FROM embedding_metadata WHERE id = ?", (row,)
    ):
        found[str(key)] = _value(text, whole, real, truth)
    for key, text, whole, real, truth in database.execute(
        "SELECT key, string_value, int_value, float_value, bool_value FROM embedding_metadata_array "
        "WHERE id = ? ORDER BY rowid",
        (row,),
    ):
        values = found.setdefault(str(key), [])
        if isinstance(values, list):
            values.append(_value(text, whole, real, truth))
    if _DOCUMENT in found:
        indexed = database.execute("SELECT c0 FROM embedding_fulltext_search_content WHERE id = ?", (row,)).fetchone()
        if indexed is None or indexed[0] != found[_DOCUMENT]:
            found[_DOCUMENT] = None
    return found


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
