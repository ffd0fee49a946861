"""Which of the acknowledged writes a restored store has: the newest moment of the journal whose rows are all there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.recovery.check import Found, check
from tests.recovery.clients import Client, Stored
from tests.recovery.journal import Journal, Operation
from tests.recovery.rows import Vectors


@dataclass(frozen=True, slots=True)
class Answered:
    """An operation, and when its acknowledgement arrived: `time.monotonic()`."""

    operation: Operation
    space: str
    at_s: float


class TimedJournal(Journal):
    """Knows when each operation was acknowledged."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.answered: list[Answered] = []
        self._appending = threading.Lock()

    def acknowledge(self, operation: Operation) -> None:
        at_s = time.monotonic()
        super().acknowledge(operation)
        space = self._spaces.get(operation.collection, "l2")
        with self._appending:
            self.answered.append(Answered(operation, space, at_s))


@dataclass(frozen=True)
class Cut:
    """Where the restored state ends.

    Attributes:
        rpo_s: From the newest acknowledged write that is there to the last that was acknowledged.
        lost_rows: Of the acknowledged writes after the cut.
        acknowledged_rows: Of all.
        found: What does not fit the journal at the cut; clean when every row is as it was then.
    """

    rpo_s: float
    lost_rows: int
    acknowledged_rows: int
    found: Found


class _Replay(Journal):
    """The journal as it stood after the first acknowledgements; the next operation of each worker may be done too."""

    def __init__(self, answered: Sequence[Answered], pending: Sequence[tuple[Operation, str]], count: int) -> None:
        super().__init__(Path(os.devnull))
        self.done: list[Answered] = list(answered[:count])
        for each in self.done:
            self.begin(each.operation, each.space)
            self.acknowledge(each.operation)
        self._next: dict[str, Answered] = {}
        for each in answered[count:]:
            worker = each.operation.worker
            if worker not in self._next:
                self._next[worker] = each
                self.begin(each.operation, each.space)
        for operation, space in pending:
            if operation.worker not in self._next:
                self.begin(operation, space)

    def resolve(self, operation: Operation, *, done: bool) -> None:
        super().resolve(operation, done=done)
        if done and operation.worker in self._next:
            self.done.append(self._next[operation.worker])


class _Once:
    """A client's answers, each asked for once: a check of a store that does not change costs no further request."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._names = client.names()
        self._read: dict[str, Stored] = {}
        self._count: dict[str, int] = {}
        self._nearest: dict[str, int] = {}

    def names(self) -> set[str]:
        return self._names

    def count(self, name: str) -> int:
        if name not in self._count:
            self._count[name] = self._client.count(name)
        return self._count[name]

    def read(self, name: str) -> Stored:
        if name not in self._read:
            self._read[name] = self._client.read(name)
        return self._read[name]

    def nearest(self, name: str, vector: Vectors, k: int) -> int:
        if name not in self._nearest:
            self._nearest[name] = self._client.nearest(name, vector, k)
        return self._nearest[name]


def cut_of(journal: TimedJournal, client: Client) -> Cut:
    """Compare everything that a restored store gives with the journal, moment by moment, the newest first.

    A write that was acknowledged is in the log before that, and a worker has one on its way: so each state of the log
    is what was acknowledged by some moment, and at most one further operation of each worker.
    """
    answered = sorted(journal.answered, key=lambda each: each.at_s)
    pending = [(each, journal.space_of(each.collection)) for each in journal.pending.values()]
    seen, best = _Once(client), None
    for count in range(len(answered), -1, -1):
        replay = _Replay(answered, pending, count)
        found = check(seen, replay)  # type: ignore[arg-type]  # reads alone
        if best is None or _weight(found) < _weight(best.found):
            best = _cut(answered, replay.done, found)
        if found.is_clean:
            break
    assert best is not None
    return best


def _cut(answered: Sequence[Answered], done: Sequence[Answered], found: Found) -> Cut:
    rows, there = (sum(len(each.operation.rows) for each in some) for some in (answered, done))
    last_s = answered[-1].at_s
    newest_s = max((each.at_s for each in done), default=answered[0].at_s)
    return Cut(last_s - newest_s, rows - there, rows, found)


def _weight(found: Found) -> int:
    return found.broken + found.lost + found.wrong + found.extra
