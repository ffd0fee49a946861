"""Is the vector of an index the vector of the log? Pure: bytes in, judgement out."""

from __future__ import annotations

import functools
import math
import struct
from array import array
from enum import Enum, auto

_TINY = 1e-30
"""What hnswlib adds to a length before it divides by it (as a 32-bit float)."""
_UNIT_TOLERANCE = 1e-4
"""How far the length of a stored vector in space `cosine` may be from 1: rounding of 4,096 dimensions stays below
1e-5, a flipped bit that matters does not."""
_LAST_PLACES = 4
_SPACING = 2.0**-23
_FLOAT_MAX = 3.4e38
_SHORTEST = 1e-18
"""Shorter vectors have squares that 32-bit floats lose."""


class Match(Enum):
    """How two vectors compare."""

    EQUAL = auto()
    """To the last bit, rounded as hnswlib rounds."""
    ROUNDED = auto()
    """Only the last places differ."""
    DIFFERENT = auto()


def compare(logged: bytes, stored: bytes, length: float | None) -> Match:
    """Compare a vector of the log with the one in the index.

    Args:
        logged: 32-bit floats, as they were written.
        stored: 32-bit floats, as they are in `data_level0.bin`.
        length: from `length.bin`, in space `cosine`, where the stored vector is the logged one divided by its length;
            None in other spaces.
    """
    if length is None:
        return Match.EQUAL if logged == stored else Match.DIFFERENT
    if len(logged) != len(stored):
        return Match.DIFFERENT
    # hnswlib multiplies by the reciprocal, both as 32-bit floats; the product of two such is exact in 64 bits, so
    # rounding it once gives the same bits.
    scale = _float32(1.0 / _float32(length + _TINY)) if length > -_TINY else math.nan
    floats = _floats_struct(len(logged))
    values = floats.unpack(logged)
    scaled = floats.pack(*[value * scale for value in values])
    if scaled == stored:
        return Match.EQUAL
    if _length_is_right(values, length) and _nearly(floats.unpack(scaled), floats.unpack(stored)):
        return Match.ROUNDED
    return Match.DIFFERENT


def is_broken(stored: bytes, length: float | None) -> bool:
    """Whether the index's vector cannot be right, whatever the log says.

    Chroma refuses vectors that are not finite, and in space `cosine` a stored vector has length 1 (0 if it came with
    a length that is 0 or beyond 32-bit floats).
    """
    values = _floats(stored)
    if not all(map(math.isfinite, values)):
        return True
    if length is None:
        return False
    norm = math.hypot(*values)
    ordinary = _SHORTEST < length < _FLOAT_MAX
    return abs(norm - 1.0) > _UNIT_TOLERANCE if ordinary else norm > 1.0 + _UNIT_TOLERANCE


def only_length_differs(logged: bytes, stored: bytes) -> bool:
    """Whether a stored vector of space `cosine` points where the log's does: then its entry in `length.bin` is wrong.

    A damaged vector in the log would point elsewhere.
    """
    values = _floats(logged)
    norm = math.hypot(*values)
    return norm > _SHORTEST and _nearly(tuple(value / norm for value in values), _floats(stored))


def _length_is_right(values: tuple[float, ...], length: float) -> bool:
    return math.isclose(math.hypot(*values), length, rel_tol=1e-5)


def _nearly(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    # The error of the length is common to all values, that of rounding is each value's own.
    return len(first) == len(second) and all(
        abs(one - other) <= _LAST_PLACES * _SPACING * abs(one) for one, other in zip(first, second, strict=True)
    )


def _floats(raw: bytes) -> tuple[float, ...]:
    return _floats_struct(len(raw)).unpack(raw)


@functools.cache
def _floats_struct(size_bytes: int) -> struct.Struct:
    # In the machine's own order, little-endian like the files wherever Chroma runs: twice as fast as with "<", and
    # values beyond 32 bits become infinite as in C instead of an error.
    return struct.Struct(f"{size_bytes // 4}f")


def _float32(value: float) -> float:
    (rounded,) = array("f", [value])
    return rounded
