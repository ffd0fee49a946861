"""`data_level0.bin` and `length.bin`: the vectors, their labels, links on the lowest level, and marks of deletes."""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from store.index.files import ELEMENTS, LENGTHS, IndexTorn
from store.index.header import Header

_BLOCK_BYTES = 1 << 20
_DELETED = 0x01
"""Lowest bit of the byte after the 16-bit count of links."""
_FLOAT_BYTES = 4


class Elements:
    """The elements of one index, read as they are needed: neither file is ever in memory as a whole.

    An element: 16-bit count of links, byte with the mark of a delete, unused byte, room for the links (32-bit
    positions of other elements), the vector, the 64-bit label. Its position is its place in the file.

    In space `cosine` the stored vector has length 1, and `length.bin` holds the length it came with; in `l2` and `ip`
    the vector is stored as it came, and `length.bin` holds whatever was in memory.
    """

    def __init__(self, folder: Path, header: Header, *, spent: Callable[[int], None] | None = None) -> None:
        """Open both files.

        Args:
            folder: the index.
            header: of the same index.
            spent: told the bytes of each read, to pace them.

        Raises:
            IndexTorn: a file is missing, or shorter than the header says.
        """
        self.header = header
        self._spent = spent or (lambda _: None)
        self._data = _open(folder, ELEMENTS, header.elements * header.element_bytes)
        try:
            self._lengths = _open(folder, LENGTHS, header.elements * _FLOAT_BYTES)
        except IndexTorn:
            os.close(self._data)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._data)
        os.close(self._lengths)

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """All elements in order of position, as (position of the first, bytes of some whole elements)."""
        size = self.header.element_bytes
        step = max(_BLOCK_BYTES // size, 1)
        for first in range(0, self.header.elements, step):
            yield first, self._read(self._data, first * size, min(step, self.header.elements - first) * size)

    def labels(self) -> tuple[array[int], bytearray]:
        """The label of each position (unsigned 64 bit), and whether each is marked as deleted (1) or not (0)."""
        labels = array("Q")
        deleted = bytearray()
        for _, block in self.blocks():
            labels.extend(self.labels_of(block))
            deleted.extend(self.deleted_of(block))
        return labels, deleted

    def labels_of(self, block: bytes) -> list[int]:
        """Labels of the elements in a block."""
        size, offset = self.header.element_bytes, self.header.label_offset
        return [label for (label,) in struct.iter_unpack(f"<{offset}xQ{size - offset - 8}x", block)]

    def deleted_of(self, block: bytes) -> bytes:
        """1 for each element of a block that is marked as deleted, else 0."""
        return bytes(flags & _DELETED for flags in block[2 :: self.header.element_bytes])

    def label(self, position: int) -> int:
        """Label of one element."""
        offset = position * self.header.element_bytes + self.header.label_offset
        return int.from_bytes(self._read(self._data, offset, 8), "little")

    def is_deleted(self, position: int) -> bool:
        """Whether one element is marked as deleted."""
        return bool(self._read(self._data, position * self.header.element_bytes + 2, 1)[0] & _DELETED)

    def links(self, position: int) -> tuple[int, ...]:
        """Positions which one element links to on the lowest level, as far as they fit into their room."""
        raw = self._read(self._data, position * self.header.element_bytes, self.header.vector_offset)
        count = min(int.from_bytes(raw[:2], "little"), self.header.max_links_lowest)
        return struct.unpack_from(f"<{count}I", raw, 4)

    def stored(self, position: int) -> bytes:
        """The vector of one element as it is in the file: little-endian 32-bit floats."""
        offset = position * self.header.element_bytes + self.header.vector_offset
        return self._read(self._data, offset, self.header.label_offset - self.header.vector_offset)

    def length(self, position: int) -> float:
        """The length with which a vector of space `cosine` came."""
        (length,) = struct.unpack("<f", self._read(self._lengths, position * _FLOAT_BYTES, _FLOAT_BYTES))
        return float(length)

    def vector(self, position: int, space: str) -> bytes:
        """The vector of one element as Chroma hands it out: little-endian 32-bit floats.

        In space `cosine` that is the stored vector times its length, rounded once: up to one unit in the last place
        off what was written.
        """
        stored = self.stored(position)
        if space != "cosine":
            return stored
        length = self.length(position)
        return array("f", [value * length for value in struct.unpack(f"<{len(stored) // 4}f", stored)]).tobytes()

    def _read(self, descriptor: int, offset: int, size: int) -> bytes:
        data = os.pread(descriptor, size, offset)
        if len(data) != size:
            raise IndexTorn(f"{ELEMENTS} or {LENGTHS} became shorter while it was read")
        self._spent(size)
        return data


def check_sizes(folder: Path, header: Header) -> None:
    """Compare the sizes of both files with the header.

    Raises:
        IndexTorn: a file is shorter than its elements, or larger than the capacity.
    """
    for name, one in ((ELEMENTS, header.element_bytes), (LENGTHS, _FLOAT_BYTES)):
        try:
            size = (folder / name).stat().st_size
        except FileNotFoundError:
            raise IndexTorn(f"{name} is missing", incomplete=True) from None
        if size < header.elements * one:
            raise IndexTorn(f"{name} has {size} bytes, {header.elements} elements need {header.elements * one}")
        if size > header.capacity * one:
            raise IndexTorn(f"{name} has {size} bytes, {header.capacity} elements have {header.capacity * one} at most")


def _open(folder: Path, name: str, needed_bytes: int) -> int:
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise IndexTorn(f"{name} is missing", incomplete=True) from None
    size = os.fstat(descriptor).st_size
    if size < needed_bytes:
        os.close(descriptor)
        raise IndexTorn(f"{name} has {size} bytes, its elements need {needed_bytes}")
    return descriptor
