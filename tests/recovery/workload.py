"""Writers that keep a store busy through its public API, and write down what it acknowledged.

Works against any server that a `Client` can reach: `Workload(lambda: CortexClient(url, token), journal, seed)`, then
`start()`, whatever shall happen to the server, `stop()`, and `check.check(client, journal)` once it answers again.
After a check the same journal takes the next `Workload`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from tests.recovery.clients import Client, NotServed
from tests.recovery.journal import Journal, Kind, Operation
from tests.recovery.rows import DIMENSIONS, row_id, text_of, vectors_of

SHARED = "shared"
"""A collection in which all workers write, each its own rows; it is never dropped."""
_ROWS_PER_WORKER = 1_000_000
_LIVE_ROWS_MAX = 1_500
_OWN_COLLECTIONS_MAX = 2
_RETRY_S = 0.05
_FIRST_BATCH_ROWS = 500


class Workload:
    """A few threads of writers."""

    def __init__(
        self, connect: Callable[[], Client], journal: Journal, seed: str, *, workers: int = 3, batch_rows: int = 200
    ) -> None:
        """Prepare, without starting.

        Args:
            connect: a new connection for each worker.
            journal: of this store, perhaps with what earlier workloads wrote.
            seed: with the same seed and answers the workers do the same.
            workers: threads.
            batch_rows: most rows of one request; no more than the server writes at once.
        """
        self._stopping = threading.Event()
        self._workers = [
            _Worker(number, connect, journal, f"{seed}/{number}", batch_rows, self._stopping)
            for number in range(workers)
        ]
        self._connect = connect
        self._journal = journal

    def start(self, first_rows: int = 0) -> None:
        """Write until stopped.

        Args:
            first_rows: written to the shared collection before anything else, if it is not there yet. The more there
                are, the longer each save of its index takes.

        Raises:
            NotServed: the server does not take them.
        """
        if SHARED not in self._journal.collections:
            self._fill(first_rows)
        for worker in self._workers:
            worker.start()

    def stop(self, timeout_s: float = 90.0) -> None:
        """Let each worker end its request, answered or not."""
        self._stopping.set()
        for worker in self._workers:
            worker.join(timeout_s)
            if worker.is_alive():
                raise TimeoutError(f"{worker.name} has waited {timeout_s:g} s for an answer")
        for worker in self._workers:
            if worker.failure is not None:
                raise worker.failure

    def _fill(self, rows: int) -> None:
        first, client = len(self._workers) * _ROWS_PER_WORKER, self._connect()
        writes = [Operation("setup", Kind.CREATE, SHARED)]
        for start in range(first, first + rows, _FIRST_BATCH_ROWS):
            numbers = tuple(range(start, min(start + _FIRST_BATCH_ROWS, first + rows)))
            writes.append(Operation("setup", Kind.UPSERT, SHARED, numbers, self._journal.next_version()))
        for operation in writes:
            self._journal.begin(operation)
            send(client, operation, "l2")
            self._journal.acknowledge(operation)
        client.close()


def send(client: Client, operation: Operation, space: str) -> None:
    """Ask for an operation.

    Raises:
        NotServed: it may be done or not.
    """
    rows, name = list(operation.rows), operation.collection
    ids = [row_id(row) for row in rows]
    if operation.kind is Kind.CREATE:
        client.create(name, space, DIMENSIONS)
    elif operation.kind is Kind.DROP:
        client.drop(name)
    elif operation.kind is Kind.DELETE:
        client.delete(name, ids)
    else:
        texts = [text_of(row, operation.version) for row in rows] if operation.kind is Kind.UPSERT else None
        client.write(name, ids, vectors_of(rows, [operation.version] * len(rows)), texts)


class _Worker(threading.Thread):
    def __init__(  # noqa: PLR0917 -- one caller, just above
        self,
        number: int,
        connect: Callable[[], Client],
        journal: Journal,
        seed: str,
        batch_rows: int,
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=f"w{number}", daemon=True)
        self.failure: BaseException | None = None
        self._first_row = number * _ROWS_PER_WORKER
        self._connect = connect
        self._journal = journal
        self._random = random.Random(seed)  # noqa: S311 -- load, not secrets
        self._batch_rows = batch_rows
        self._stopping = stopping

    def run(self) -> None:
        client = self._connect()
        try:
            while not self._stopping.is_set():
                self._until_acknowledged(client, self._next())
        except BaseException as failure:  # told to the one who waits in stop()
            self.failure = failure
        finally:
            client.close()

    def _until_acknowledged(self, client: Client, operation: Operation) -> None:
        space = "cosine" if operation.collection.endswith("cosine") else "l2"
        while not self._stopping.is_set():
            self._journal.begin(operation, space)
            try:
                send(client, operation, space)
            except NotServed as problem:
                self._journal.unanswered_again(operation, str(problem))
                self._stopping.wait(_RETRY_S)
            else:
                self._journal.acknowledge(operation)
                return

    def _next(self) -> Operation:
        chance = self._random.random()
        own = [name for name in self._journal.names() if name.startswith(f"{self.name}-")]
        if chance < 0.06 and len(own) < _OWN_COLLECTIONS_MAX:
            name = f"{self.name}-{self._random.randrange(3)}-{self._random.choice(['cosine', 'l2'])}"
            if name not in own:
                return Operation(self.name, Kind.CREATE, name)
        if chance < 0.08 and own:
            return Operation(self.name, Kind.DROP, self._random.choice(own))
        return self._on_rows(self._random.choice([SHARED, *own]))

    def _on_rows(self, collection: str) -> Operation:
        mine = self._journal.rows_between(collection, self._first_row, self._first_row + _ROWS_PER_WORKER)
        count = self._random.randint(1, self._batch_rows)
        kinds = [Kind.UPSERT] * 4 + ([Kind.UPDATE, Kind.DELETE] if mine else [])
        if len(mine) > _LIVE_ROWS_MAX:
            kinds = [Kind.DELETE, Kind.UPDATE]
        kind = self._random.choice(kinds)
        version = self._journal.next_version()
        if kind is Kind.UPSERT:
            new = range(mine[-1] + 1, mine[-1] + 1 + count) if mine else range(self._first_row, self._first_row + count)
            some = self._random.sample(mine, min(len(mine), count // 4))
            rows = [*sorted(some), *new][:count] if self._random.random() < 0.5 else list(new)
        else:
            rows = sorted(self._random.sample(mine, min(len(mine), count)))
        return Operation(self.name, kind, collection, tuple(rows), version)
