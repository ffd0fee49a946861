"""The log, read once for all collections: which row did what to which id, in 16 bytes a row."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from store.progress import Progress, silent
from store.verification.pacing import Pace

ADD, UPDATE, UPSERT, DELETE = range(4)
"""Codes of the column `operation`."""
HAS_VECTOR = 4
HAS_METADATA = 8
_OPERATION = 3
_SHIFT = 4
_CHUNK_ROWS = 5_000
"""Rows read in one transaction: a longer one would keep a running server from shortening its write-ahead log."""
_ROW_OVERHEAD_BYTES = 200

_SELECT = """
SELECT seq_id, substr(topic, -36), id, operation, vector IS NOT NULL, metadata IS NOT NULL AND metadata != '{}'
FROM embeddings_queue WHERE seq_id > ? ORDER BY seq_id LIMIT ?
"""


@dataclass(slots=True)
class Rows:
    """The rows of one collection, in order.

    Ids are kept as their hashes of 64 bits. Two ids of a collection of a million share one with a chance of 1 in 30
    million, and then are reported as wrong, not overlooked.
    """

    hashes: array[int] = field(default_factory=lambda: array("q"))
    packed: array[int] = field(default_factory=lambda: array("Q"))

    def part(self, number: int, of: int) -> Iterator[tuple[int, int]]:
        """Hash and packed row of the ids of one part of several."""
        if of == 1:
            return zip(self.hashes, self.packed, strict=True)
        return ((hashed, row) for hashed, row in zip(self.hashes, self.packed, strict=True) if hashed % of == number)


class LoggedRows:
    """The rows of all collections so far; `extend` reads those which were added since."""

    def __init__(self, database: sqlite3.Connection, pace: Pace, dimensions: dict[str, int]) -> None:
        """Args: dimensions: of each collection, to know how many bytes its rows have."""
        self._database = database
        self._pace = pace
        self._dimensions = dimensions
        self._rows: dict[str, Rows] = {}
        self.newest = 0
        """Number of the last row that was read."""

    def of(self, collection_id: str) -> Rows:
        """The rows of one collection."""
        return self._rows.setdefault(collection_id, Rows())

    def collections(self) -> tuple[str, ...]:
        """Ids of the collections which have rows."""
        return tuple(self._rows)

    def extend(self, progress: Progress = silent) -> None:
        """Read the rows which came since the last time."""
        (newest,) = self._database.execute("SELECT coalesce(max(seq_id), 0) FROM embeddings_queue").fetchone()
        first = self.newest
        while True:
            rows = self._database.execute(_SELECT, (self.newest, _CHUNK_ROWS)).fetchall()
            read_bytes = 0
            for seq_id, collection_id, id_, operation, has_vector, has_metadata in rows:
                into = self.of(collection_id)
                into.hashes.append(hash(id_))
                flags = (HAS_VECTOR if has_vector else 0) | (HAS_METADATA if has_metadata else 0)
                into.packed.append(seq_id << _SHIFT | flags | operation & _OPERATION)
                read_bytes += 4 * self._dimensions.get(collection_id, 0) + _ROW_OVERHEAD_BYTES
            self._pace.spent(read_bytes)
            if rows:
                self.newest = rows[-1][0]
            progress("reading the log", min(self.newest, newest) - first, max(newest - first, 0))
            if len(rows) < _CHUNK_ROWS:
                return


def seq_of(packed: int) -> int:
    """Number of a packed row."""
    return packed >> _SHIFT


def operation_of(packed: int) -> int:
    """Operation of a packed row."""
    return packed & _OPERATION
