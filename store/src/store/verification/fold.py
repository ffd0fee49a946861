"""What the rows of the log come to, id by id. Pure.

How Chroma 1.5.9 applies them: an add of an id which exists is ignored, and so are an update and a delete of one which
does not; an update without a vector leaves the vector.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from store.verification.logged import ADD, DELETE, HAS_VECTOR, UPDATE, operation_of, seq_of

State = int
"""Of an id: the number of the row whose vector it has, or one of the three below."""
GONE = 0
"""The id was deleted."""
UNKNOWN_VECTOR = -1
"""The id exists, with a vector which the log does not tell (it was purged)."""
IN_INDEX = -2
"""The id exists, with the vector that is in the index."""


def applied(state: State | None, packed: int, *, complete: bool = True) -> State | None:
    """The state of an id after one more row.

    Args:
        state: before; None when no row so far gave the id a vector or deleted it.
        packed: the row.
        complete: nothing was ever purged, so an id without rows does not exist.
    """
    operation = operation_of(packed)
    if operation == DELETE:
        return GONE
    if not packed & HAS_VECTOR:
        return state
    if operation == ADD:
        if state is None and not complete:
            return UNKNOWN_VECTOR
        return state or seq_of(packed)
    if operation == UPDATE and (state == GONE or (state is None and complete)):
        return state
    return seq_of(packed)


def replayed(state: State | None, rows: Iterable[int], *, complete: bool = True) -> State | None:
    """The state after several more rows."""
    for packed in rows:
        state = applied(state, packed, complete=complete)
    return state


@dataclass(frozen=True, slots=True)
class Folded:
    """The ids of one part of a collection, by the hash of the id."""

    saved: dict[int, State]
    """As of one row of the log; without ids of which no row up to it tells."""
    later: dict[int, list[int]]
    """The packed rows after it."""
    complete: bool

    def final(self, hashed: int) -> State | None:
        """The state of an id at the end of the log; None when the log does not know it."""
        state = self.saved.get(hashed)
        rows = self.later.get(hashed)
        return state if rows is None else replayed(state, rows, complete=self.complete)


def fold(rows: Iterable[tuple[int, int]], *, until: int, complete: bool) -> Folded:
    """Apply the rows up to `until`, and set the others aside.

    Args:
        rows: hash of the id, and packed row, in order.
        until: the last row to apply.
        complete: nothing was ever purged from the log.
    """
    saved: dict[int, State] = {}
    later: dict[int, list[int]] = {}
    for hashed, packed in rows:
        if seq_of(packed) > until:
            later.setdefault(hashed, []).append(packed)
            continue
        state = applied(saved.get(hashed), packed, complete=complete)
        if state is not None:
            saved[hashed] = state
    return Folded(saved=saved, later=later, complete=complete)
