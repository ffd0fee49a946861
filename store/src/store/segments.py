"""The two segments of each collection, and how far each has applied the log."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

PICKLE = "index_metadata.pickle"
"""Without this file in its folder Chroma takes an index for new."""

_SELECT = """
SELECT collections.id, collections.name, vectors.id, records.id, vector_seq.seq_id, record_seq.seq_id
FROM collections
JOIN segments AS vectors ON vectors.collection = collections.id AND vectors.scope = 'VECTOR'
JOIN segments AS records ON records.collection = collections.id AND records.scope = 'METADATA'
LEFT JOIN max_seq_id AS vector_seq ON vector_seq.segment_id = vectors.id
LEFT JOIN max_seq_id AS record_seq ON record_seq.segment_id = records.id
ORDER BY collections.id
"""


@dataclass(frozen=True, slots=True)
class Segments:
    """A collection's index (VECTOR segment) and records (METADATA segment). Numbers are log rows (`seq_id`)."""

    collection_id: str
    name: str
    vector_id: str
    """Also the name of the index's folder."""
    metadata_id: str
    vector_seq: int | None
    """Last row in the saved index; None when it was never saved, and is made from the whole log."""
    metadata_seq: int | None
    """Last row in the records; None when nothing was written yet."""


def read(database: sqlite3.Connection) -> tuple[Segments, ...]:
    """All collections, by their id."""
    return tuple(Segments(*row) for row in database.execute(_SELECT))


def settled(segments: Segments, store: Path) -> int:
    """Last log row that neither the index nor the records will ever be brought up to date with; 0 for none.

    An index that was never saved is always made anew, so it holds nothing back. One that has files but no number is
    about to be repaired: nothing is settled.
    """
    if segments.vector_seq is not None:
        return min(segments.vector_seq, segments.metadata_seq or 0)
    return 0 if (store / segments.vector_id / PICKLE).exists() else segments.metadata_seq or 0
