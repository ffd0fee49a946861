"""`/metrics`: the guard's state for Prometheus, put together when somebody asks. Imported by the first who does."""

from __future__ import annotations

import os
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from healthcheck.actions import Phase
from healthcheck.board import Board, Snapshot
from healthcheck.judgement import Verdict
from healthcheck.notebook import Notes
from healthcheck.observation import BackupView, Observation

_PREFIX = "cortex"
_RANKS = {Verdict.OK: 0, Verdict.UNKNOWN: 1, Verdict.DEGRADED: 2, Verdict.FAILING: 3}
_RANKS_TOLD = "0 ok, 1 unknown, 2 degraded, 3 failing"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def render(board: Board, notes: Notes, dropped_lines: int) -> str:
    """All metrics as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_State(board, notes, dropped_lines))
    return generate_latest(registry).decode()


class _State(Collector):
    """The state at one moment."""

    def __init__(self, board: Board, notes: Notes, dropped_lines: int) -> None:
        self._board = board
        self._notes = notes
        self._dropped_lines = dropped_lines

    def collect(self) -> Iterator[Metric]:
        """Everything there is to tell; what could not be measured is left out."""
        shown = self._board.snapshot
        yield from _phase_and_verdicts(shown)
        yield from self._counts()
        yield from self._scrub()
        if shown.observation is not None:
            yield from _seen(shown.observation)
        yield from _process("guard", os.getpid())
        if shown.observation is not None and shown.observation.server.pid is not None:
            yield from _process("server", shown.observation.server.pid)

    def _counts(self) -> Iterator[Metric]:
        counts = self._board.counts
        actions = CounterMetricFamily(
            f"{_PREFIX}_actions", "What the guard did by itself.", labels=["action", "outcome"]
        )
        for (action, outcome), number in dict(counts.actions).items():
            actions.add_metric([action, outcome], number)
        yield actions
        ends = CounterMetricFamily(f"{_PREFIX}_server_ends", "How runs of the server ended.", labels=["end"])
        for end, number in dict(counts.ends).items():
            ends.add_metric([end], number)
        yield ends
        yield CounterMetricFamily(
            f"{_PREFIX}_server_starts", "Starts of the server by this guard.", value=counts.starts
        )
        yield CounterMetricFamily(
            f"{_PREFIX}_guard_ticks", "Turns of the guard's loop that looked.", value=counts.ticks
        )
        yield CounterMetricFamily(
            f"{_PREFIX}_guard_log_lines_dropped",
            "Lines that nobody took from standard output.",
            value=self._dropped_lines,
        )
        if self._board.server_since_s is not None:
            yield _gauge("server_start_time_seconds", "Start of the running server.", self._board.server_since_s)
        last = GaugeMetricFamily(f"{_PREFIX}_last_end", "The mark of the last run's end.", labels=["end"])
        last.add_metric([str(self._notes.end)], 1)
        yield last
        yield _gauge("crashes_counting", "Crashes that still count for the fence.", len(self._notes.crashes.times_s))

    def _scrub(self) -> Iterator[Metric]:
        scrub = self._notes.scrub
        if scrub.ended_wall_s is not None:
            yield _gauge("scrub_end_time_seconds", "End of the last scrub that read everything.", scrub.ended_wall_s)
            yield _gauge("scrub_findings", "What it found.", scrub.findings)
            yield _gauge("scrub_undecided", "Of that, what only a backup can decide.", scrub.undecided)
        if scrub.took_s is not None:
            yield _gauge("scrub_seconds", "How long it took.", scrub.took_s)


def _phase_and_verdicts(shown: Snapshot) -> Iterator[Metric]:
    yield _gauge("ready", "1 when requests may be sent.", shown.ready)
    yield _gauge("writable", "1 when the store takes writes.", shown.writable.ok)
    yield _gauge("verdict", f"Of everything: {_RANKS_TOLD}.", _RANKS[shown.verdict])
    phases = GaugeMetricFamily(f"{_PREFIX}_phase", "1 for the present phase.", labels=["phase"])
    for phase in Phase:
        phases.add_metric([str(phase)], float(phase is shown.phase))
    yield phases
    verdicts = GaugeMetricFamily(f"{_PREFIX}_judgement_verdict", f"{_RANKS_TOLD}.", labels=["judgement"])
    values = GaugeMetricFamily(f"{_PREFIX}_judgement_value", "Measured.", labels=["judgement", "unit"])
    limits = GaugeMetricFamily(f"{_PREFIX}_judgement_limit", "Where it is no longer ok.", labels=["judgement", "unit"])
    for judged in shown.judgements:
        verdicts.add_metric([judged.name], _RANKS[judged.verdict])
        if judged.value is not None:
            values.add_metric([judged.name, judged.unit], judged.value)
        if judged.limit is not None:
            limits.add_metric([judged.name, judged.unit], judged.limit)
    yield from (verdicts, values, limits)


def _seen(seen: Observation) -> Iterator[Metric]:
    """The measured values behind the judgements, in base units."""
    yield _gauge("server_running", "1 when the process runs.", seen.server.running)
    yield _gauge("scrub_running", "1 while a scrub reads.", seen.scrub.running)
    if (canary := seen.server.canary) is not None:
        yield _gauge("canary_ok", "1 when the last canary was written, read and found.", canary.ok)
        for name, value_ms in (("write", canary.write_ms), ("read", canary.read_ms)):
            if value_ms is not None:
                yield _gauge(f"canary_{name}_seconds", f"The last canary's {name}.", value_ms / 1e3)
    if (memory := seen.memory) is not None:
        yield _gauge("memory_used_bytes", "Without page cache that is given back.", memory.used_bytes)
        yield _gauge("memory_limit_bytes", "The container's, or the host's.", memory.limit_bytes)
    if seen.memory_kills is not None:
        yield CounterMetricFamily(f"{_PREFIX}_memory_kills", "Processes killed for memory.", value=seen.memory_kills)
    if (disk := seen.disk) is not None:
        yield _gauge("disk_used_bytes", "Of the store's file system.", disk.used_bytes)
        yield _gauge("disk_usable_bytes", "Used, and still to be had by an ordinary user.", disk.usable_bytes)
        yield _gauge("disk_used_inodes", "Of the store's file system.", disk.used_inodes)
        yield _gauge("disk_usable_inodes", "0 where there is no fixed number.", disk.usable_inodes)
    if seen.store_bytes is not None:
        yield _gauge("store_bytes", "Allocated blocks of the store's files.", seen.store_bytes)
    if (files := seen.open_files) is not None:
        yield _gauge("open_files", "Of the server.", files.used)
        yield _gauge("open_files_limit", "Of the server.", files.limit)
    if (found := seen.store) is not None:
        yield _gauge("store_collections", "Collections.", found.collections)
        yield _gauge("store_vectors", "Live records.", found.vectors)
        yield _gauge("store_log_rows", "Rows of the log.", found.log_rows)
        yield _gauge("store_log_superseded_rows", "Rows that compaction would drop, at most.", found.superseded_rows)
        yield _gauge("store_index_lag_rows", "Log rows that are not in a saved index: the largest.", found.lag_rows)
        yield _gauge("store_orphans", "Index folders of no collection.", found.orphans)
        yield _gauge("store_orphan_bytes", "Their size.", found.orphan_bytes)
        yield _gauge("store_log_kept", "1 while the durable log is on.", found.log_kept)
        yield _gauge("store_wal_bytes", "SQLite's write-ahead log.", found.wal_bytes)
    if seen.certificate_ends_wall_s is not None:
        yield _gauge("certificate_end_time_seconds", "End of the server's certificate.", seen.certificate_ends_wall_s)
    if seen.backup is not None:
        yield from _backup(seen.backup)


def _backup(seen: BackupView) -> Iterator[Metric]:
    """Times of which there is none yet are left out."""
    archive, base, drill = seen.archive, seen.base, seen.drill
    yield _gauge("backup_told_time_seconds", "When the archiver last told its state.", seen.told_wall_s)
    yield _gauge("archive_running", "1 while the log is shipped.", archive.running)
    yield _gauge("archive_staging_bytes", "What waits on this machine for the target.", seen.staging_bytes)
    yield _gauge("base_bytes", "Of the last base.", base.bytes)
    yield _gauge("base_failures", "Tries since the last base.", base.failures)
    if drill.passed is not None:
        yield _gauge("drill_passed", "1 if the last drill found nothing wrong.", drill.passed)
    for name, text, value in (
        ("archive_lag_seconds", "How far the target is behind the store.", archive.lag_s),
        ("archive_synced_time_seconds", "Up to when everything is at the target.", archive.synced_s),
        ("base_time_seconds", "When the last base was taken.", base.taken_s),
        ("base_overdue_time_seconds", "When the last base is older than two schedules.", base.overdue_after_s),
        ("base_verified_time_seconds", "When a drill last read a base back.", base.verified_s),
        ("drill_time_seconds", "When the last drill ended.", drill.ended_s),
        ("drill_overdue_time_seconds", "When the last drill is older than two schedules.", drill.overdue_after_s),
        ("drill_recovery_seconds", "From the start of the last drill's restore to the first answer.", drill.rto_s),
        ("drill_loss_seconds", "Age of the newest row that the last drill restored.", drill.rpo_s),
    ):
        if value is not None:
            yield _gauge(name, text, value)


def _process(name: str, pid: int) -> Iterator[Metric]:
    """Processor time and memory of a process, from /proc/<pid>/stat (proc(5), fields 14, 15 and 24)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return
    seconds = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    yield CounterMetricFamily(f"{_PREFIX}_{name}_cpu_seconds", "User and system time.", value=seconds)
    resident = int(fields[21]) * _PAGE_BYTES
    yield _gauge(f"{name}_resident_memory_bytes", "Resident memory.", resident)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=float(value))
