"""Rows whose content follows from their number and version, so that a check needs no copy of what was written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
DIMENSIONS = 32
_COSINE_ERROR = 1e-6
"""Of a vector's length: a few units in the last place of float32."""
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True, slots=True)
class Row:
    """Which versions of vector and text a stored row must have."""

    vector: int
    text: int


def row_id(number: int) -> str:
    """The id of a row."""
    return f"row-{number:07d}"


def row_number(identifier: str) -> int | None:
    """The number of an id made by `row_id`; None for any other id."""
    digits = identifier.removeprefix("row-")
    return int(digits) if digits.isdigit() and row_id(int(digits)) == identifier else None


def text_of(number: int, version: int) -> str:
    """The document of a row."""
    return f"text {version} of row {number}"


def vectors_of(numbers: list[int], versions: list[int], dimensions: int = DIMENSIONS) -> Vectors:
    """Vectors in (-1, 1), of shape (rows, dimensions), the same on every call (splitmix64)."""
    rows = np.asarray(numbers, dtype=np.uint64)[:, None] << np.uint64(40)
    versioned = np.asarray(versions, dtype=np.uint64)[:, None] << np.uint64(12)
    with np.errstate(over="ignore"):
        mixed = (rows + versioned + np.arange(1, dimensions + 1, dtype=np.uint64)[None, :]) * _MIX[0]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[1]
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[2]
        mixed ^= mixed >> np.uint64(31)
    return ((mixed >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0).astype(np.float32)


def same_vectors(stored: Vectors, written: Vectors, space: str) -> NDArray[np.bool_]:
    """Per row: is it the vector written? Bytewise, but for `cosine`: Chroma keeps direction and length apart there."""
    if stored.shape != written.shape:
        return np.zeros(len(written), dtype=np.bool_)
    if space != "cosine":
        return np.asarray((stored == written).all(axis=1))
    lengths = np.linalg.norm(written, axis=1, keepdims=True)
    return np.asarray((np.abs(stored - written) <= _COSINE_ERROR * lengths).all(axis=1))
