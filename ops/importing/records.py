"""Collections and records on their way from one server to another, and whether they arrived. Pure."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

READ_BYTES = 8 << 20
"""Of one page, about."""
WRITE_BYTES = 2 << 20
"""Of one request: the gateway takes 16 MiB by default, and can be set lower."""
MOST_ROWS = 500
_VALUE_CHARS = 14
_ROW_CHARS = 2_000
_ROUNDING = 1e-6
"""Twice what two divisions and multiplications by a length may change in a 32-bit float."""
_SMALLEST = 1e-30


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as the server that has it tells.

    Attributes:
        id: There.
        name: Its name.
        dimensions: None before the first record.
        metadata: As given by its maker.
        configuration: How it is indexed.
        schema: The same of newer servers, with which metadata are indexed.
    """

    id: str
    name: str
    dimensions: int | None
    metadata: Mapping[str, Any] | None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None

    @property
    def space(self) -> str:
        """`l2`, `cosine` or `ip`; empty for an index of another kind."""
        hnsw = self.configuration.get("hnsw") or {}
        return str(hnsw.get("space") or "")


@dataclass(frozen=True, slots=True)
class Record:
    """A record."""

    id: str
    embedding: Sequence[float]
    document: str | None = None
    metadata: Mapping[str, Any] | None = None
    uri: str | None = None


class Likeness(Enum):
    """How like two records are."""

    EQUAL = auto()
    ROUNDED = auto()
    """But for the last places of the embedding, which space cosine does not keep."""
    OTHER = auto()


def likeness(ours: Record, theirs: Record, *, space: str) -> Likeness:
    """Whether a record arrived.

    In space cosine an index keeps the direction and the length, and what is handed out is made of both: the last
    places depend on what was done with it. In the other spaces every bit counts.
    """
    if (ours.id, ours.document, ours.uri) != (theirs.id, theirs.document, theirs.uri):
        return Likeness.OTHER
    if _said(ours.metadata) != _said(theirs.metadata):
        return Likeness.OTHER
    one, other = array("f", ours.embedding), array("f", theirs.embedding)
    if one == other:
        return Likeness.EQUAL
    near = space == "cosine" and len(one) == len(other)
    if near and all(math.isclose(*pair, rel_tol=_ROUNDING, abs_tol=_SMALLEST) for pair in zip(one, other, strict=True)):
        return Likeness.ROUNDED
    return Likeness.OTHER


def _said(metadata: Mapping[str, Any] | None) -> str:
    """Kinds of values count too: 1 is not 1.0, nor true."""
    return json.dumps(metadata or {}, sort_keys=True)


def page_rows(dimensions: int | None) -> int:
    """How many records to ask for at once."""
    return max(1, min(MOST_ROWS, READ_BYTES // (_VALUE_CHARS * (dimensions or 1) + _ROW_CHARS)))


def pages(ids: Sequence[str], rows: int) -> Iterator[Sequence[str]]:
    """The ids, so many at a time."""
    for start in range(0, len(ids), rows):
        yield ids[start : start + rows]


def batches(rows: Iterable[tuple[Record, int]], most_bytes: int = WRITE_BYTES) -> Iterator[list[Record]]:
    """Records for one request each, in their order.

    Args:
        rows: Each with its size, in bytes.
        most_bytes: Of a request; a single record may have more.
    """
    batch: list[Record] = []
    size = 0
    for record, row_bytes in rows:
        if batch and size + row_bytes > most_bytes:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += row_bytes
    if batch:
        yield batch
