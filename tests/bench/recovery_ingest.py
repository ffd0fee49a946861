"""Ingest with archive and hourly bases on against off: two servers in turn, so that disturbances hit both."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from tests.bench.recovery_memory import program
from tests.bench.recovery_rows import BATCH_ROWS, DIMENSIONS, Rows
from tests.bench.recovery_stage import HOURLY, Setting, Stage, serving, stage, wait_base

_BATCHES = 6
"""In a turn: seconds, so that what was written early in it is shipped in it."""


@dataclass(frozen=True)
class Ingest:
    """Throughput with backups as a share of that without: median of the blocks, and quartiles.

    Attributes:
        ratio: The median.
        low: First quartile.
        high: Third quartile.
        on_rows_s: Rows a second with backups.
        off_rows_s: Without.
        cpu_s: Of each program of the backup, for 10,000 rows.
    """

    ratio: float
    low: float
    high: float
    on_rows_s: float
    off_rows_s: float
    cpu_s: dict[str, float]

    @property
    def all_cpu_s(self) -> float:
        """Of all of them."""
        return sum(self.cpu_s.values())


def measure(setting: Setting, blocks: int) -> Ingest:
    """Both in each block, in random order. The archiver stands still while the other server has its turn."""
    source = random.Random(1)  # noqa: S311 -- an order
    on_s: list[float] = []
    off_s: list[float] = []
    with stage(setting, "ingest", bases=HOURLY) as staged, serving(setting, setting.folder / "plain") as plain:
        on, off = Rows(staged.server), Rows(plain)
        for rows in (on, off):
            rows.write(2 * BATCH_ROWS)
        staged.start()
        wait_base(staged.scene)
        before = _cpu_s(staged)
        for _ in range(blocks):
            for rows, took_s in source.sample([(on, on_s), (off, off_s)], 2):
                with _stopped(staged) if rows is off else contextlib.nullcontext():
                    took_s.append(rows.write(_BATCHES * BATCH_ROWS))
        after = _cpu_s(staged)
        for rows in (on, off):
            rows.close()
    ratios = [without / beside for without, beside in zip(off_s, on_s, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    written = blocks * _BATCHES * BATCH_ROWS
    cpu_s = {name: (spent_s - before.get(name, 0.0)) / written * 10_000 for name, spent_s in after.items()}
    return Ingest(middle, low, high, written / sum(on_s), written / sum(off_s), cpu_s)


def words(found: Ingest) -> str:
    """For people."""
    return (
        f"ingest of rows x {DIMENSIONS} in batches of {BATCH_ROWS}: {found.on_rows_s:,.0f} rows/s with archive and "
        f"bases, {found.off_rows_s:,.0f} without; {found.ratio:.2f}x ({found.low:.2f} to {found.high:.2f}); "
        f"{found.all_cpu_s:.1f} CPU s of the backup for 10,000 rows: "
        + ", ".join(f"{name} {spent_s:.1f}" for name, spent_s in sorted(found.cpu_s.items()))
    )


@contextlib.contextmanager
def _stopped(staged: Stage) -> Iterator[None]:
    pids = staged.daemon.session()
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _cpu_s(staged: Stage) -> dict[str, float]:
    """Processor seconds of each program of the daemon's session so far; of those that have ended as commands."""
    spent_s: dict[str, float] = {}
    for pid in staged.daemon.session():
        with contextlib.suppress(psutil.Error, OSError):
            times, name = psutil.Process(pid).cpu_times(), program(pid)
            spent_s[name] = spent_s.get(name, 0.0) + times.user + times.system
            spent_s["commands"] = spent_s.get("commands", 0.0) + times.children_user + times.children_system
    return spent_s
