"""How long writers and readers are held up while a base is made."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.bench.recovery_rows import NAME, Rows, vectors_for
from tests.bench.recovery_stage import Stage
from tests.recovery.clients import NotServed

_BATCH_ROWS, _NEIGHBOURS = 20, 10
_MIN_S = 5.0
"""For the comparison, however short the base was."""


@dataclass
class Waits:
    """Of one writer or reader: seconds of each request, and what failed."""

    took_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def slowest_s(self) -> float:
        return max(self.took_s, default=0.0)

    @property
    def median_s(self) -> float:
        return statistics.median(self.took_s) if self.took_s else 0.0


@dataclass(frozen=True)
class Pause:
    """One writer and one reader, while a base was made, and as long without one.

    Attributes:
        rows: In the store at the beginning.
        base_s: The base, from the command's start to its end.
        base: What it printed.
        writes: Beside the base; of 20 rows each.
        reads: Beside the base.
        plain_writes: Without one.
        plain_reads: Without one.
    """

    rows: int
    base_s: float
    base: dict[str, Any]
    writes: Waits
    reads: Waits
    plain_writes: Waits
    plain_reads: Waits

    @property
    def failed(self) -> list[str]:
        """Beside the base."""
        return [*self.writes.failed, *self.reads.failed]


def measure(staged: Stage, rows: Rows) -> Pause:
    """Write and read without a break, beside a base and then without."""
    before = rows.written
    (base, base_s), writes, reads = _beside(staged, rows, lambda: staged.command("now", "--wait-s", "60"))
    _, plain_writes, plain_reads = _beside(staged, rows, lambda: time.sleep(max(_MIN_S, base_s)))
    return Pause(before, base_s, base, writes, reads, plain_writes, plain_reads)


def _beside(staged: Stage, rows: Rows, work: Callable[[], Any]) -> tuple[Any, Waits, Waits]:
    stopping, writes, reads = threading.Event(), Waits(), Waits()
    writer = threading.Thread(target=_repeat, args=(stopping, writes, staged, _writing(rows)))
    reader = threading.Thread(target=_repeat, args=(stopping, reads, staged, _reading(rows)))
    for thread in (writer, reader):
        thread.start()
    try:
        done = work()
    finally:
        stopping.set()
        for thread in (writer, reader):
            thread.join()
    return done, writes, reads


def _repeat(stopping: threading.Event, waits: Waits, staged: Stage, request: Callable[[Any], float]) -> None:
    client = staged.server.connect()
    while not stopping.is_set():
        try:
            waits.took_s.append(request(client))
        except NotServed as problem:
            waits.failed.append(str(problem))
            if len(waits.failed) > 100:
                break
    client.close()


def _writing(rows: Rows) -> Callable[[Any], float]:
    return lambda client: rows.write_batch(client, _BATCH_ROWS)


def _reading(rows: Rows) -> Callable[[Any], float]:
    vectors = vectors_for(list(range(min(200, rows.written))))
    turn = iter(range(1 << 40))

    def ask(client: Any) -> float:
        vector = vectors[next(turn) % len(vectors)]
        started_s = time.perf_counter()
        client.nearest(NAME, vector, _NEIGHBOURS)
        return time.perf_counter() - started_s

    return ask
