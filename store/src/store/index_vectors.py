"""The vectors that a saved index holds, by id."""

from __future__ import annotations

import sqlite3
import struct
from array import array
from pathlib import Path
from types import TracebackType
from typing import Self

from store import index

_BATCH = 10_000


_TINY = 1e-30
"""What hnswlib adds to a length before it divides by it."""
_NEIGHBOURS = (-1, 1, -2, 2)


def lengthened(stored: bytes, length: float) -> bytes:
    """A vector that hnswlib divides by its length into just the stored one, in space `cosine`.

    The product of the two is off by a last place here and there, and would then be taken for a damaged vector. The
    vector that was written gave the stored one, so there is one within two last places of the product.

    Args:
        stored: 32-bit floats of length 1.
        length: with which the vector came.
    """
    wanted = array("f", stored)
    scale = _float32(1.0 / _float32(length + _TINY))
    found = array("f", [value * length for value in wanted])
    made = array("f", [value * scale for value in found])
    if made != wanted:
        for place, value in enumerate(wanted):
            if made[place] != value:
                found[place] = _neighbour(found[place], scale, value)
    return found.tobytes()


def _neighbour(near: float, scale: float, wanted: float) -> float:
    (bits,) = struct.unpack("<i", struct.pack("<f", near))
    for step in _NEIGHBOURS:
        (value,) = struct.unpack("<f", struct.pack("<i", bits + step))
        if _float32(value * scale) == wanted:
            return float(value)
    return near


def _float32(value: float) -> float:
    return array("f", [value])[0]


class IndexVectors:
    """One saved index, read as vectors are asked for. Ids are in a temporary table of the connection, on disk."""

    def __init__(self, database: sqlite3.Connection, folder: Path, space: str) -> None:
        """Read ids and labels.

        Raises:
            IndexTorn: the files make no index.
        """
        self._database = database
        self._space = space
        self._elements = index.Elements(folder, index.read_header(folder))
        try:
            self._read_ids(folder)
            labels, deleted = self._elements.labels()
        except BaseException:
            self.close()
            raise
        self._positions = array("I", bytes(4 * (max(labels, default=0) + 1)))
        for position, label in enumerate(labels):
            if not deleted[position]:
                self._positions[label] = position + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its files."""
        self._elements.__exit__(None, None, None)

    def get(self, id_: str) -> bytes | None:
        """The vector of an id, little-endian 32-bit floats: one that Chroma would store just as it is stored.

        None when the id is not in the index.
        """
        row = self._database.execute("SELECT label FROM index_labels WHERE id = ?", (id_,)).fetchone()
        if row is None or row[0] >= len(self._positions) or not self._positions[row[0]]:
            return None
        position = self._positions[row[0]] - 1
        if self._space != "cosine":
            return self._elements.stored(position)
        return lengthened(self._elements.stored(position), self._elements.length(position))

    def has(self, id_: str) -> bool:
        """Whether an id is in the index."""
        return self._database.execute("SELECT 1 FROM index_labels WHERE id = ?", (id_,)).fetchone() is not None

    def _read_ids(self, folder: Path) -> None:
        self._database.execute("DROP TABLE IF EXISTS temp.index_labels")
        self._database.execute("CREATE TEMP TABLE index_labels (id TEXT PRIMARY KEY, label INTEGER) WITHOUT ROWID")
        rows: list[tuple[str, int]] = []

        def seen(id_: str, label: int) -> None:
            rows.append((id_, label))
            if len(rows) >= _BATCH:
                flush()

        def flush() -> None:
            self._database.executemany("INSERT INTO index_labels VALUES (?, ?)", rows)
            rows.clear()

        index.read_ids(folder, seen)
        flush()
