"""From a restore's command to the first right answer of a server, against copying a stopped store and starting it."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from backup.config import load
from backup.target import opened

from backup import bases
from tests.bench import recovery_cost, recovery_pause
from tests.bench.recovery_cost import Cost, Stored
from tests.bench.recovery_pause import Pause
from tests.bench.recovery_rows import Rows
from tests.bench.recovery_stage import LIMIT_S, QUIET, Setting, Stage, stage
from tests.recovery.servers import Stock

TAIL_SHARE = 0.05
"""Of the rows that are written after the base."""


@dataclass(frozen=True)
class Back:
    """One way to serve again. Seconds.

    Attributes:
        way: In words.
        restore_s: Until the store is there.
        start_s: From there until the server may be asked.
        answer_s: From there until all answers are right.
        rows_to_apply: By the server, at its first use.
    """

    way: str
    restore_s: float
    start_s: float
    answer_s: float
    rows_to_apply: int | None = None

    @property
    def seconds(self) -> float:
        """In all."""
        return self.restore_s + self.start_s + self.answer_s


@dataclass(frozen=True)
class Size:
    """Everything that was measured with a store of one size."""

    rows: int
    pause: Pause
    ways: list[Back]
    stored: Stored
    cost: Cost


def measure(setting: Setting, size: int) -> Size:
    """Fill a store, make a base under load, write the rest, lose everything, and come back by each way."""
    with stage(setting, f"size-{size}") as staged:
        staged.start()
        rows = Rows(staged.server)
        rows.write(size - round(size * TAIL_SHARE))
        rows.wait_right(staged.server)  # the first query brings the index up to date, and everybody waits for it
        pause = recovery_pause.measure(staged, rows)
        rows.write(max(0, size - rows.written))
        staged.scene.wait_shipped(time.time())
        rows.wait_right(staged.server)
        rows.close()
        stored = recovery_cost.stored(staged, rows.written)
        stock = _stock(staged, rows)
        staged.strike()
        ways = [_restored(staged, rows, "base and log"), _log_alone(staged, rows), stock]
        return Size(rows.written, pause, ways, stored, recovery_cost.measure(staged))


def _stock(staged: Stage, rows: Rows) -> Back:
    with _another(staged, "copied") as server:
        started_s = time.monotonic()
        staged.server.stop()
        server.store.rmdir()
        subprocess.run(["cp", "-a", str(staged.server.store), str(server.store)], check=True, timeout=LIMIT_S)
        return _served(server, rows, Back("stop, cp -a, start", time.monotonic() - started_s, 0.0, 0.0))


def _log_alone(staged: Stage, rows: Rows) -> Back:
    with opened(load(staged.scene.config_file)) as target:
        repository = bases.repository(target, staged.folder / "scratch")
        repository.forget(tuple(each.id for each in repository.snapshots()))
    return _restored(staged, rows, "log alone")


def _restored(staged: Stage, rows: Rows, way: str) -> Back:
    with _another(staged, way.replace(" ", "-")) as server:
        done, took_s = staged.command("restore", "--to", "latest", "--into", str(server.store))
        assert done["source"] == {"base and log": "archive and base", "log alone": "archive"}[way], done
        return _served(server, rows, Back(way, took_s, 0.0, 0.0, int(done["rows_to_apply"])))


def _served(server: Stock, rows: Rows, back: Back) -> Back:
    started_s = time.monotonic()
    server.start()
    server.wait_ready(LIMIT_S)
    start_s = time.monotonic() - started_s
    return Back(back.way, back.restore_s, start_s, rows.wait_right(server), back.rows_to_apply)


@contextlib.contextmanager
def _another(staged: Stage, name: str) -> Iterator[Stock]:
    """A server that is not started, on an empty folder; both are gone at the end."""
    server = Stock(staged.folder / name, QUIET)
    try:
        yield server
    finally:
        server.remove()
