"""`link_lists.bin`: on how many levels each element is, and its links on the upper ones."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from store.index.files import LINKS, IndexTorn
from store.index.header import Header

_BLOCK_BYTES = 1 << 18
_SIZE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Levels:
    """Highest level of each element, by position."""

    of: bytearray
    bytes: int
    """How long the file must be to hold the links of all of them."""


def read_levels(folder: Path, header: Header) -> Levels:
    """Walk through the file: each element has a 32-bit size, and that many bytes of links.

    Raises:
        IndexTorn: the file is missing, ends before the last element, goes on after it, or has a size that is no whole
            number of levels, or more levels than the header says.
    """
    levels = bytearray()
    total = 0
    for _, links in upper_links(folder, header):
        levels.append(len(links) // header.upper_level_bytes)
        total += _SIZE_BYTES + len(links)
    size = (folder / LINKS).stat().st_size
    if size != total:
        raise IndexTorn(f"{LINKS} has {size} bytes, the links of {header.elements} elements have {total}")
    if header.elements and max(levels) != header.highest_level:
        raise IndexTorn(f"{LINKS} has {max(levels)} levels, the header says {header.highest_level}")
    return Levels(of=levels, bytes=total)


def upper_links(folder: Path, header: Header) -> Iterator[tuple[int, bytes]]:
    """The links of each element on its upper levels, as (position, bytes), read in small blocks.

    Raises:
        IndexTorn: as `read_levels`.
    """
    try:
        descriptor = os.open(folder / LINKS, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise IndexTorn(f"{LINKS} is missing", incomplete=True) from None
    try:
        buffer, start = b"", 0
        for position in range(header.elements):
            if len(buffer) - start < _SIZE_BYTES:
                buffer, start = buffer[start:] + os.read(descriptor, _BLOCK_BYTES), 0
                if len(buffer) < _SIZE_BYTES:
                    raise IndexTorn(f"{LINKS} ends at element {position} of {header.elements}")
            (size,) = struct.unpack_from("<I", buffer, start)
            levels, rest = divmod(size, header.upper_level_bytes)
            if rest or levels > max(header.highest_level, 0):
                raise IndexTorn(f"{LINKS} has a size of {size} bytes for element {position}, which cannot be")
            start += _SIZE_BYTES
            while len(buffer) - start < size:
                more = os.read(descriptor, max(_BLOCK_BYTES, size))
                if not more:
                    raise IndexTorn(f"{LINKS} ends at element {position} of {header.elements}")
                buffer, start = buffer[start:] + more, 0
            yield position, buffer[start : start + size]
            start += size
    finally:
        os.close(descriptor)
