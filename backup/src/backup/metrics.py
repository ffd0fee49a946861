"""`/metrics`: archive, bases and drills for Prometheus."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from backup.archive_view import ArchiveView
from backup.duties import Duty
from backup.notes import LastCheck, NewestBase
from backup.state import BaseView, DrillView

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_NAMES = {Duty.BASE: "base", Duty.RETAIN: "retain", Duty.CHECK: "check", Duty.LOOK: "look"}


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is told, at one moment."""

    archive: ArchiveView
    base: BaseView
    drill: DrillView
    newest: NewestBase | None
    check: LastCheck | None
    bases: int | None
    """At the target; None before anybody looked."""
    runs: Mapping[tuple[Duty, str], int]
    """How often a duty was done, by outcome."""
    pids: Mapping[str, int]
    """Of the archive's processes."""
    now_s: float


def render(seen: Seen) -> str:
    """All metrics as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Seen(seen))
    return generate_latest(registry).decode()


class _Seen(Collector):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """Everything there is to tell; what is not known is left out."""
        seen = self._seen
        yield from _archive(seen.archive, seen.now_s)
        yield from _bases(seen)
        yield from _drill(seen.drill)
        runs = CounterMetricFamily("cortex_backup_runs", "What was done, by outcome.", labels=["duty", "outcome"])
        for (duty, outcome), number in dict(seen.runs).items():
            runs.add_metric([_NAMES[duty], outcome], number)
        yield runs
        memory = GaugeMetricFamily("cortex_archive_process_resident_bytes", "Resident memory.", labels=["process"])
        for name, pid in seen.pids.items():
            if (resident := _resident_bytes(pid)) is not None:
                memory.add_metric([name], resident)
        yield memory


def _archive(archive: ArchiveView, now_s: float) -> Iterator[Metric]:
    yield _gauge("cortex_archive_running", "1 while the log is shipped.", archive.running)
    if (lag_s := archive.lag_s(now_s)) is not None:
        yield _gauge("cortex_archive_lag_seconds", "How far the target is behind the store, as measured.", lag_s)
    if archive.synced_s is not None:
        yield _gauge("cortex_archive_synced_time_seconds", "Up to when all is at the target.", archive.synced_s)
    yield _gauge("cortex_archive_transaction", "The newest at the target.", archive.transaction)
    yield _gauge("cortex_archive_staging_bytes", "What waits here, and the last minutes.", archive.staging_bytes)
    yield _gauge("cortex_archive_wal_bytes", "SQLite's write-ahead log.", archive.wal_bytes)
    yield CounterMetricFamily("cortex_archive_starts", "Starts of Litestream.", value=archive.starts)
    yield CounterMetricFamily("cortex_archive_gaps", "Lineages begun because one could not go on.", value=archive.gaps)


def _bases(seen: Seen) -> Iterator[Metric]:
    base, newest = seen.base, seen.newest
    if base.taken_s is not None:
        yield _gauge("cortex_backup_taken_time_seconds", "When the newest base was taken.", base.taken_s)
        yield _gauge("cortex_backup_bytes", "Of the newest base.", base.bytes)
    if newest is not None:
        yield _gauge("cortex_backup_added_bytes", "By which the newest base grew the repository.", newest.added_bytes)
        yield _gauge("cortex_backup_records", "In the newest base.", newest.records)
        yield _gauge("cortex_backup_seconds", "How long the newest base took.", newest.seconds)
    if base.next_s is not None:
        yield _gauge("cortex_backup_next_time_seconds", "When the next base is due.", base.next_s)
    if base.overdue_after_s is not None:
        yield _gauge("cortex_backup_overdue_time_seconds", "When two schedules have passed.", base.overdue_after_s)
    if base.verified_s is not None:
        yield _gauge("cortex_backup_verified_time_seconds", "When a drill last verified a base.", base.verified_s)
    if seen.bases is not None:
        yield _gauge("cortex_backup_bases", "At the target.", seen.bases)
    yield _gauge("cortex_backup_failures", "Tries since the last base that was made.", base.failures)
    if seen.check is not None:
        yield _gauge("cortex_backup_check_time_seconds", "End of the last check.", seen.check.ended_s)
        yield _gauge("cortex_backup_check_problems", "What it found.", len(seen.check.problems))


def _drill(drill: DrillView) -> Iterator[Metric]:
    if drill.ended_s is not None:
        yield _gauge("cortex_backup_drill_time_seconds", "End of the last drill.", drill.ended_s)
    if drill.passed is not None:
        yield _gauge("cortex_backup_drill_passed", "1 when it restored everything.", drill.passed)
    for name, value_s in (("rto", drill.rto_s), ("rpo", drill.rpo_s)):
        if value_s is not None:
            yield _gauge(f"cortex_backup_drill_{name}_seconds", f"{name.upper()} that it measured.", value_s)


def _resident_bytes(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return None


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))
