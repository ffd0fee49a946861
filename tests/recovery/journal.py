"""What was asked of a store and what was acknowledged, kept outside of it: what must be there, and what may be."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.recovery.rows import Row


class Kind(StrEnum):
    """What an operation does."""

    CREATE = "create"
    DROP = "drop"
    UPSERT = "upsert"
    UPDATE = "update"
    """A new vector for rows that exist; their text stays."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Operation:
    """One request. It must take effect whole or not at all."""

    worker: str
    kind: Kind
    collection: str
    rows: tuple[int, ...] = ()
    version: int = 0

    def on(self, old: Row | None) -> Row | None:
        """What a row is afterwards, if the operation names it."""
        if self.kind is Kind.UPSERT:
            return Row(self.version, self.version)
        if self.kind is Kind.UPDATE:
            return None if old is None else Row(self.version, old.text)
        return None


@dataclass
class Contents:
    """A collection that must exist, and its rows."""

    space: str
    rows: dict[int, Row] = field(default_factory=dict)


class Journal:
    """Every operation before it is sent and after it was answered; each line is in the file before the call returns.

    A worker has at most one operation without an acknowledgement: it repeats it until it is acknowledged, or ends.
    """

    def __init__(self, path: Path) -> None:
        """Start a new journal at `path`, which must not lie in the store."""
        self.path = path
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._spaces: dict[str, str] = {}
        self.collections: dict[str, Contents] = {}
        self.pending: dict[str, Operation] = {}
        self.acknowledged = 0
        self.acknowledged_rows = 0
        self.unanswered = 0
        self._versions = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """No more to come."""
        self._file.close()

    def begin(self, operation: Operation, space: str = "l2") -> None:
        """The operation is about to be sent, perhaps again. `space` counts for a create."""
        with self._lock:
            before = self.pending.get(operation.worker)
            if before not in {None, operation}:
                raise ValueError(f"{operation.worker} has an operation without an answer: {before}")
            if operation.kind is Kind.CREATE:
                self._spaces[operation.collection] = space
            self._write("begin", operation)
            self.pending[operation.worker] = operation

    def acknowledge(self, operation: Operation) -> None:
        """The store said that it is done."""
        with self._lock:
            self._write("acknowledged", operation)
            self._apply(operation)
            self.acknowledged += 1
            self.acknowledged_rows += len(operation.rows)

    def unanswered_again(self, operation: Operation, why: str) -> None:
        """An error or no answer: it may have been done, whole, or not."""
        with self._lock:
            self._write("unanswered", operation, why)
            self.unanswered += 1

    def resolve(self, operation: Operation, *, done: bool) -> None:
        """A check has seen whether an operation without an answer was done."""
        with self._lock:
            self._write("found done" if done else "found not done", operation)
            if done:
                self._apply(operation)
            else:
                del self.pending[operation.worker]

    def expect_all_of(self, other: Journal) -> None:
        """Begin with what another journal expects, for a copy of its store."""
        self._spaces = dict(other._spaces)
        self.collections = {name: Contents(each.space, dict(each.rows)) for name, each in other.collections.items()}

    def pending_for(self, collection: str) -> list[Operation]:
        """Operations on a collection that were not answered."""
        return [each for each in self.pending.values() if each.collection == collection]

    def next_version(self) -> int:
        """A version that no row has had."""
        with self._lock:
            self._versions += 1
            return self._versions

    def rows_between(self, collection: str, first: int, end: int) -> list[int]:
        """Numbers of the rows of a collection from `first` to before `end`, in order."""
        with self._lock:
            return sorted(row for row in self.collections[collection].rows if first <= row < end)

    def names(self) -> list[str]:
        """The collections that must exist, in order."""
        with self._lock:
            return sorted(self.collections)

    def space_of(self, collection: str) -> str:
        """The distance with which a collection was, or may have been, made."""
        return self._spaces[collection]

    def _apply(self, operation: Operation) -> None:
        self.pending.pop(operation.worker, None)
        if operation.kind is Kind.CREATE:
            self.collections[operation.collection] = Contents(self._spaces[operation.collection])
        elif operation.kind is Kind.DROP:
            del self.collections[operation.collection]
        else:
            rows = self.collections[operation.collection].rows
            for number in operation.rows:
                after = operation.on(rows.get(number))
                if after is None:
                    rows.pop(number, None)
                else:
                    rows[number] = after

    def _write(self, event: str, operation: Operation, why: str = "") -> None:
        line = {
            "event": event,
            "worker": operation.worker,
            "kind": operation.kind,
            "collection": operation.collection,
            "rows": _spans(operation.rows),
            "version": operation.version,
        }
        self._file.write(json.dumps({**line, "why": why} if why else line) + "\n")


def _spans(numbers: tuple[int, ...]) -> list[list[int]]:
    """[first, last] of each unbroken run, so that a line stays short."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return spans
