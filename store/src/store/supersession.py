"""Which rows of the log nothing needs any more, and what those that stay must then say.

How Chroma 1.5.9 applies the rows of one id, found out on real stores (tests/unit/store/test_store_compact.py):

- An add of an id which exists is ignored; so are an update and a delete of one which does not.
- An upsert or update merges its metadata and document into what is there; a key set to null is removed.
- An index rebuilt from the log ignores an update of an id it has not seen. So a row that sets a vector may only stay
  without the rows before it as an upsert, with the metadata of them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum


class Operation(IntEnum):
    """Codes of the column `operation`."""

    ADD = 0
    UPDATE = 1
    UPSERT = 2
    DELETE = 3


_SETTING = frozenset({Operation.ADD, Operation.UPDATE, Operation.UPSERT})


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the log, without what is large."""

    seq_id: int
    operation: int
    has_vector: bool
    has_metadata: bool


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a row must say once the rows before it are gone."""

    seq_id: int
    operation: Operation
    metadata: str | None
    """None: as it is."""


@dataclass(slots=True)
class Changes:
    """What a compaction does to the rows of one id."""

    dropped: list[int] = field(default_factory=list)
    rewritten: list[Rewrite] = field(default_factory=list)


ReadMetadata = Callable[[int], str]
"""The column `metadata` of the row of this number."""


def changes(rows: Iterable[Row], read: ReadMetadata, *, settled: int, newest: int) -> Changes:
    """What can be dropped of one id: what remains folds to the same record, and rebuilds the same vector.

    At most two rows stay: the one that sets the vector, as an upsert with all metadata up to it, and one update with
    all metadata after it. The number of the row that last changed the record always stays.

    Args:
        rows: of one id, by their number.
        read: called only for rows whose metadata must be merged.
        settled: the last number that both index and records have applied; rows after it are not looked at.
        newest: the newest row of the collection. It stays, whatever it says: Chroma numbers rows after the highest.
    """
    fold = _Fold(read)
    for row in rows:
        if row.seq_id > settled or not fold.apply(row):
            break
    return fold.end(newest)


class _Kept:
    """A row that stays, with the metadata of the rows that it takes the place of."""

    def __init__(self, row: Row, before: dict[str, object], *, alone: bool) -> None:
        self.row = row
        self.before = before
        self.alone = alone
        """Whether no row before it is dropped."""
        self._own: dict[str, object] | None = None

    def content(self, read: ReadMetadata) -> dict[str, object]:
        """All metadata, null where a key is to be removed."""
        return {**self.before, **self.own(read)}

    def own(self, read: ReadMetadata) -> dict[str, object]:
        """What the row itself says."""
        if self._own is None:
            self._own = json.loads(read(self.row.seq_id)) if self.row.has_metadata else {}
        return self._own


class _Fold:
    """The record as the rows so far make it: `setter` gives the vector, `updater` the metadata after it."""

    def __init__(self, read: ReadMetadata) -> None:
        self._read = read
        self._changes = Changes()
        self._setter: _Kept | None = None
        self._updater: _Kept | None = None
        self._delete: int | None = None
        self._ignored: list[int] = []

    def apply(self, row: Row) -> bool:
        """Take in the next row; False when it cannot be understood, so that it and what follows must stay."""
        exists = self._setter is not None
        if row.operation == Operation.DELETE:
            self._drop_record()
            self._delete = row.seq_id
        elif row.operation == Operation.UPDATE and exists and not row.has_vector:
            self._update(row)
        elif row.operation == (Operation.ADD if exists else Operation.UPDATE):
            self._ignored.append(row.seq_id)
        elif row.operation in _SETTING and row.has_vector:
            self._set_vector(row)
        else:
            return False
        return True

    def end(self, newest: int) -> Changes:
        """The changes, once there are no more rows."""
        last = [*self._ignored, *([] if self._delete is None else [self._delete])]
        self._changes.dropped += [seq_id for seq_id in last if seq_id != newest]
        if self._setter is not None and not self._setter.alone:
            self._rewrite(self._setter, Operation.UPSERT)
        if self._updater is not None and not self._updater.alone:
            self._rewrite(self._updater, Operation.UPDATE)
        self._changes.dropped.sort()
        return self._changes

    def _set_vector(self, row: Row) -> None:
        before: dict[str, object] = {}
        for kept in (self._setter, self._updater):
            before |= kept.content(self._read) if kept else {}
        alone = self._setter is None and self._delete is None
        self._drop_record()
        self._setter = _Kept(row, before, alone=alone)

    def _update(self, row: Row) -> None:
        before = self._updater.content(self._read) if self._updater else {}
        if self._updater:
            self._changes.dropped.append(self._updater.row.seq_id)
        self._updater = _Kept(row, before, alone=self._updater is None)

    def _drop_record(self) -> None:
        """Drop the record as it was, and the delete of the one before."""
        self._changes.dropped += [kept.row.seq_id for kept in (self._setter, self._updater) if kept]
        self._changes.dropped += [] if self._delete is None else [self._delete]
        self._setter = self._updater = self._delete = None

    def _rewrite(self, kept: _Kept, operation: Operation) -> None:
        metadata = kept.content(self._read)
        if operation == Operation.UPSERT:  # nothing is before it that a null could remove
            metadata = {key: value for key, value in metadata.items() if value is not None}
        says_all = metadata.keys() == kept.own(self._read).keys()
        if kept.row.operation == operation and says_all:
            return
        text = None if says_all else json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
        self._changes.rewritten.append(Rewrite(kept.row.seq_id, operation, text))
