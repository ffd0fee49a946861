"""Is everything there that a store acknowledged, as it was written, and nothing else?"""

from __future__ import annotations

from collections.abc import Collection as Many
from dataclasses import dataclass, field

import numpy as np

from tests.recovery.clients import Client, NotServed, Stored
from tests.recovery.journal import Contents, Journal, Kind, Operation
from tests.recovery.rows import row_number, same_vectors, text_of, vectors_of

_NEIGHBOURS = 10
_SHOWN = 5


@dataclass
class Found:
    """What a check found; all zero when the store kept its word."""

    broken: int = 0
    """Collections that do not answer, or whose answers contradict each other."""
    lost: int = 0
    """Acknowledged rows that are not there; for a whole collection each of its rows, at least one."""
    wrong: int = 0
    """Rows with another vector or text than the last one written, or of an operation that was done by halves."""
    extra: int = 0
    """Rows and collections that were removed, or never written."""
    rows: int = 0
    """Rows compared."""
    notes: list[str] = field(default_factory=list)
    """The first few of each, in words."""

    @property
    def is_clean(self) -> bool:
        """Nothing at all."""
        return not (self.broken or self.lost or self.wrong or self.extra)

    def add(self, other: Found) -> None:
        """Sum up."""
        self.broken += other.broken
        self.lost += other.lost
        self.wrong += other.wrong
        self.extra += other.extra
        self.rows += other.rows
        self.notes += other.notes

    def as_words(self) -> str:
        """For a result line."""
        return f"broken={self.broken} lost={self.lost} wrong={self.wrong} extra={self.extra}"


def check(client: Client, journal: Journal) -> Found:
    """Compare every collection and row with the journal, and settle the operations that were not answered.

    No workload may be running. Where an operation without an answer turns out to be done, the journal takes it over.
    """
    found = Found()
    try:
        names = client.names()
    except NotServed as problem:
        return Found(broken=max(1, len(journal.collections)), notes=[f"no list of collections: {problem}"])
    _settle_collections(names, journal)
    for name in sorted(set(journal.collections) - names):
        found.lost += max(1, len(journal.collections[name].rows))
        found.notes.append(f"collection {name} is lost")
    for name in sorted(names - set(journal.collections)):
        found.extra += 1
        found.notes.append(f"collection {name} should not be there")
    for name in sorted(names & set(journal.collections)):
        found.add(_collection(client, journal, name))
    return found


def _settle_collections(names: set[str], journal: Journal) -> None:
    """Both ends of a create or drop without an answer are fine."""
    for operation in list(journal.pending.values()):
        if operation.kind is Kind.CREATE:
            journal.resolve(operation, done=operation.collection in names)
        elif operation.kind is Kind.DROP:
            journal.resolve(operation, done=operation.collection not in names)


def _collection(client: Client, journal: Journal, name: str) -> Found:
    try:
        count, stored = client.count(name), client.read(name)
        wanted = min(_NEIGHBOURS, len(stored.ids))
        neighbours = client.nearest(name, stored.vectors[0], wanted) if wanted else 0
    except NotServed as problem:
        return Found(broken=1, notes=[f"{name} does not answer: {problem}"])
    found = Found(rows=len(stored.ids))
    if count != len(stored.ids) or len(set(stored.ids)) != len(stored.ids) or neighbours < wanted:
        found.broken = 1
        found.notes.append(f"{name}: count {count}, rows {len(stored.ids)}, neighbours {neighbours} of {wanted}")
    present = {row_number(each): index for index, each in enumerate(stored.ids)}
    for operation in journal.pending_for(name):
        _settle_rows(operation, journal, stored, present, found)
    _compare(name, journal.collections[name], stored, present, found)
    return found


def _settle_rows(
    operation: Operation, journal: Journal, stored: Stored, present: dict[int | None, int], found: Found
) -> None:
    """Done or not, as the first row tells that differs between the two; `_compare` finds what was done by halves."""
    contents = journal.collections[operation.collection]
    done = False
    for number in operation.rows:
        before, after = contents.rows.get(number), operation.on(contents.rows.get(number))
        if before == after:
            continue
        index = present.get(number)
        if index is None:
            done = after is None
        elif before is None or after is None:
            done = after is not None
        else:
            vector = vectors_of([number], [after.vector])
            done = bool(same_vectors(stored.vectors[index : index + 1], vector, contents.space)[0])
        break
    journal.resolve(operation, done=done)


def _compare(name: str, contents: Contents, stored: Stored, present: dict[int | None, int], found: Found) -> None:
    rows = contents.rows
    lost = [number for number in rows if number not in present]
    extra = [stored.ids[index] for number, index in present.items() if number not in rows]
    common = [number for number in rows if number in present]
    wrong: list[int] = []
    if common:
        order = [present[number] for number in common]
        written = vectors_of(common, [rows[number].vector for number in common])
        right = same_vectors(stored.vectors[order], written, contents.space)
        texts = [
            stored.texts[index] == text_of(number, rows[number].text)
            for number, index in zip(common, order, strict=True)
        ]
        wrong = [number for number, fine in zip(common, right & np.array(texts), strict=True) if not fine]
    found.lost += len(lost)
    found.extra += len(extra)
    found.wrong += len(wrong)
    for what, which in (("lost", lost), ("extra", extra), ("wrong", wrong)):
        if which:
            found.notes.append(f"{name}: {len(which)} {what}, {_few(which)}")


def _few(which: Many[object]) -> str:
    shown = ", ".join(str(each) for each in list(which)[:_SHOWN])
    return shown if len(which) <= _SHOWN else f"{shown} …"
