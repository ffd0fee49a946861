"""One index, quickly: files and counts, and a sample of its elements."""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_right

from store import index
from store.verification.sample import draw, is_suspicious
from store.verification.structure import read_structure
from store.verification.subject import Subject

_LOOKED_BACK_ROWS = 20_000
"""Newest rows of the log that are read, to know how far indexes are behind."""


class RowsBehind:
    """How many rows of a collection come after a given one, as far as the newest rows of the log tell."""

    def __init__(self, database: sqlite3.Connection) -> None:
        (self.newest,) = database.execute("SELECT coalesce(max(seq_id), 0) FROM embeddings_queue").fetchone()
        self._from = self.newest - _LOOKED_BACK_ROWS
        self._rows: dict[str, array[int]] = {}
        for seq_id, collection_id in database.execute(
            "SELECT seq_id, substr(topic, -36) FROM embeddings_queue WHERE seq_id > ? ORDER BY seq_id", (self._from,)
        ):
            self._rows.setdefault(collection_id, array("Q")).append(seq_id)

    def count(self, collection_id: str, after: int) -> int | None:
        """Rows of the collection after row `after`; None when it lies too far back to tell."""
        if after < self._from:
            return None
        rows = self._rows.get(collection_id, array("Q"))
        return len(rows) - bisect_right(rows, after)


def fits(subject: Subject, behind: RowsBehind) -> bool:
    """Whether an index looks right at a glance; if not, every id of it should be looked at.

    Raises:
        IndexTorn: the files are no index.
    """
    header = index.read_header(subject.folder)
    index.stamp(subject.folder)
    sample = draw(subject, header)
    ids: dict[int, str] = {}

    def seen(id_: str, label: int) -> None:
        if label in sample.labels or label in sample.deleted:
            ids[label] = id_

    structure = read_structure(subject.folder, subject.collection.dimensions, seen)
    subject.pace.spent(index.stamp(subject.folder).bytes - header.elements * header.element_bytes)
    late = behind.count(subject.collection.id, subject.saved_seq)
    if late is not None:
        (records,) = subject.database.execute(
            "SELECT count(*) FROM embeddings WHERE segment_id = ?", (subject.collection.metadata_segment,)
        ).fetchone()
        if abs(records - structure.ids.ids) > late:
            return False
    return not is_suspicious(subject, header, sample, ids)
