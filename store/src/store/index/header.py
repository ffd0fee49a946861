"""`header.bin`: how many elements the index has, how large one is, where its graph is entered."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from store.index.files import HEADER, IndexTorn

_LAYOUT = struct.Struct("<iQQQQQQiIQQQdQ")
"""As `persistHeader` of Chroma's hnswlib writes it: version, offset of level 0, capacity, elements, element bytes,
offset of the label, offset of the vector, highest level, entry point, links per level (upper, lowest), M, mult,
ef_construction."""
_VERSION = 1
_LABEL_BYTES = 8
_COUNT_BYTES = 4
_FLOAT_BYTES = 4
_LINK_BYTES = 4
_NO_ELEMENT = 0xFFFFFFFF
_HIGHEST_LEVEL = 64
"""A level is drawn as -ln(random) / ln(M); with M of 2 and 2^32 elements it stays below 33."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says, checked to be possible."""

    capacity: int
    """Elements for which Chroma takes memory: a power of two."""
    elements: int
    """Elements in the files, those marked as deleted included."""
    element_bytes: int
    label_offset: int
    vector_offset: int
    highest_level: int
    entry_point: int
    max_links: int
    """Per element and level above the lowest."""
    max_links_lowest: int

    @property
    def dimensions(self) -> int:
        """Of the vectors, which are 32-bit floats."""
        return (self.label_offset - self.vector_offset) // _FLOAT_BYTES

    @property
    def upper_level_bytes(self) -> int:
        """Bytes of one element's links on one upper level."""
        return self.max_links * _LINK_BYTES + _COUNT_BYTES


def read_header(folder: Path) -> Header:
    """Read and judge `header.bin`.

    Raises:
        IndexTorn: it is missing, cut, or says what cannot be.
    """
    try:
        raw = (folder / HEADER).read_bytes()
    except FileNotFoundError:
        raise IndexTorn(f"{HEADER} is missing", incomplete=True) from None
    if len(raw) != _LAYOUT.size:
        raise IndexTorn(f"{HEADER} has {len(raw)} bytes instead of {_LAYOUT.size}")
    return parse_header(raw)


def parse_header(raw: bytes) -> Header:
    """Read and judge the bytes of a header.

    Raises:
        IndexTorn: they say what cannot be.
    """
    fields = _LAYOUT.unpack(raw)
    version, level0, capacity, elements, element_bytes, label_offset, vector_offset = fields[:7]
    highest_level, entry_point, max_links, max_links_lowest, m, mult, ef_construction = fields[7:]
    empty = elements == 0
    plausible = {
        "version": version == _VERSION,
        "offset of the lowest level": level0 == 0,
        "elements": elements <= capacity < 2**32,
        "links": 0 < max_links == m < 2**15 and max_links_lowest == 2 * max_links and ef_construction > 0,
        "multiplier": mult > 0,
        "offset of the vector": vector_offset == max_links_lowest * _LINK_BYTES + _COUNT_BYTES,
        "offset of the label": label_offset > vector_offset and (label_offset - vector_offset) % _FLOAT_BYTES == 0,
        "element bytes": element_bytes == label_offset + _LABEL_BYTES,
        "entry point": entry_point < elements or (empty and entry_point == _NO_ELEMENT),
        "highest level": 0 <= highest_level < _HIGHEST_LEVEL or (empty and highest_level == -1),
    }
    wrong = [name for name, holds in plausible.items() if not holds]
    if wrong:
        raise IndexTorn(f"{HEADER} says what cannot be ({', '.join(wrong)})")
    return Header(
        capacity=capacity,
        elements=elements,
        element_bytes=element_bytes,
        label_offset=label_offset,
        vector_offset=vector_offset,
        highest_level=highest_level,
        entry_point=entry_point,
        max_links=max_links,
        max_links_lowest=max_links_lowest,
    )
