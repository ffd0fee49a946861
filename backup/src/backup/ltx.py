"""Litestream's files: their names, their headers, and whether a set of them can be restored.

Format: https://github.com/superfly/ltx (version 0.5.2, ltx.go).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SNAPSHOT_LEVEL = 9
HEADER_BYTES = 100
_MAGIC = b"LTX1"
_HEADER = ">4sIIIQQqQqqII"
_NAME = re.compile(r"(?:^|/)ltx/(\d)/([0-9a-f]{16})-([0-9a-f]{16})\.ltx$")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself."""

    first: int
    """Transactions, both inclusive."""
    last: int
    made_ms: int
    """When the newest of its pages was read from the log: milliseconds of the epoch."""
    wal_offset: int
    wal_bytes: int
    salts: tuple[int, int]
    """Of the write-ahead log that it was read from; 0 in files that were put together from others."""

    @property
    def wal_end(self) -> int:
        """Where the next file from the same write-ahead log begins."""
        return self.wal_offset + self.wal_bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, by its name."""

    level: int
    """0: as read from the log; above: put together from those below; 9: a whole database."""
    first: int
    last: int
    bytes: int

    @property
    def name(self) -> str:
        """Below the folder of its lineage."""
        return f"ltx/{self.level}/{self.first:016x}-{self.last:016x}.ltx"


def read_header(raw: bytes) -> Header:
    """Decode the first `HEADER_BYTES`.

    Raises:
        ValueError: they are none of such a file.
    """
    if len(raw) < HEADER_BYTES or raw[:4] != _MAGIC:
        raise ValueError("it is no LTX file")
    _, _, _, _, first, last, made_ms, _, offset, size, salt1, salt2 = struct.unpack_from(_HEADER, raw)
    return Header(first, last, made_ms, offset, size, (salt1, salt2))


def piece(path: str, size: int) -> Piece | None:
    """The file of this path below its lineage; None when it is another kind of file."""
    found = _NAME.search(path)
    return Piece(int(found[1]), int(found[2], 16), int(found[3], 16), size) if found else None


def plan(pieces: Iterable[Piece], upto: int | None = None) -> tuple[Piece, ...]:
    """The fewest files that make the newest database which they can, in the order in which they apply.

    Args:
        pieces: all there are.
        upto: no transaction after this one.

    Returns:
        Nothing when they make no database at all.
    """
    usable = [each for each in pieces if upto is None or each.last <= upto]
    chosen: list[Piece] = []
    reached = 0
    while True:
        following = [each for each in usable if each.first <= reached + 1 and each.last > reached]
        if not following:
            return tuple(chosen)
        # The one that reaches furthest; among those the most compacted.
        best = max(following, key=lambda each: (each.last, each.level))
        chosen.append(best)
        reached = best.last


def newest(pieces: Iterable[Piece]) -> int:
    """The newest transaction that any of them has; 0 without any."""
    return max((each.last for each in pieces), default=0)


def gap(pieces: Iterable[Piece]) -> str:
    """Why they do not make the newest database; empty when they do."""
    known = tuple(pieces)
    if not known:
        return "it holds no files"
    short = [each for each in known if each.bytes < HEADER_BYTES]
    if short:
        return f"{short[0].name} has only {short[0].bytes} bytes"
    reached = max((each.last for each in plan(known)), default=0)
    if reached < newest(known):
        beyond = min((each for each in known if each.first > reached + 1), key=lambda each: each.first, default=None)
        upto = "" if beyond is None else f" to {beyond.first - 1}"
        return f"transactions {reached + 1}{upto} are missing, of {newest(known)}"
    return ""


def local_pieces(staging: Path) -> tuple[Piece, ...]:
    """The files in one lineage's staging, which vanish while one looks."""
    found = []
    for file in sorted((staging / "ltx").glob("*/*.ltx")):
        try:
            found.append(piece(f"ltx/{file.parent.name}/{file.name}", file.stat().st_size))
        except FileNotFoundError:
            continue
    return tuple(each for each in found if each is not None)


def newest_transaction(staging: Path) -> int:
    """The newest in one lineage's staging; 0 without any."""
    return newest(local_pieces(staging))
