"""From an observation to judgements: which judgements there are, with their thresholds' and trends' memory."""

from __future__ import annotations

from healthcheck import judge_room as room
from healthcheck import judge_server as server
from healthcheck import judge_store as store
from healthcheck.hysteresis import Thresholds
from healthcheck.judge_backup import judge_backups
from healthcheck.judge_certificate import DAYS, judge_certificate
from healthcheck.judge_clock import Clock
from healthcheck.judgement import Judgement
from healthcheck.limits import Limits, ServerKind
from healthcheck.observation import DiskView, MemoryView, Observation
from healthcheck.trend import Trend

_LAG_BAND_ROWS = 0.2 * store.LAG_ROWS
_COLLECTIONS_BAND_SHARE = 0.03
_TREND_BAND_SHARE = 0.5
"""A trend is left again when the time is half as long again as the horizon."""


class Judges:
    """Keeps what a judgement needs to know of the past. Time comes from the observations alone."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._thresholds = Thresholds()
        self._memory = Trend()
        self._disk = Trend()
        self._clock = Clock()
        self._pid: int | None = None
        self._first_at_s: float | None = None

    def judge(self, seen: Observation) -> tuple[Judgement, ...]:
        """All judgements, in the order in which people look."""
        if self._first_at_s is None:
            self._first_at_s = seen.at_s
        if seen.server.pid is not None and seen.server.pid != self._pid:
            self._memory.clear()  # another process: the memory of the last one says nothing about it
            self._pid = seen.server.pid
        judged = [server.judge_server(seen.server, self._limits.timeout_s)]
        has_store = self._limits.server is not ServerKind.NONE
        if has_store:
            judged += self._canary(seen)
        judged += self._memory_now_and_later(seen)
        if has_store:
            judged += self._disk_now_and_later(seen)
        judged.append(self._open_files(seen))
        if has_store:
            judged += [*self._store(seen), self._clock.judge(seen.at_s, seen.wall_s)]
        if self._limits.backups:
            judged += judge_backups(seen.backup, seen.problem("backup"), seen.wall_s, self._watched_s(seen))
        if self._limits.certificate:
            judged.append(self._certificate(seen))
        return tuple(judged)

    def _certificate(self, seen: Observation) -> Judgement:
        if seen.certificate_ends_wall_s is None:
            return room.unmeasured("certificate", DAYS, "days", seen.problem("certificate"))
        return judge_certificate(seen.certificate_ends_wall_s, seen.wall_s)

    def _canary(self, seen: Observation) -> list[Judgement]:
        limits = self._limits
        return [
            server.judge_canary(seen.server, limits.canary_max_age_s),
            server.judge_sqlite(seen.server, limits.canary_max_age_s, limits.timeout_s),
        ]

    def _memory_now_and_later(self, seen: Observation) -> list[Judgement]:
        memory, limit = seen.memory, self._limits.memory_percent
        if memory is None:
            return [room.unmeasured("memory", limit, "%", seen.problem("memory"))]
        crossed = self._share_crossed("memory", room.memory_percent(memory), limit)
        now = room.judge_memory(memory, seen.memory_kills, limit, crossed=crossed)
        return [now, self._memory_trend(seen.at_s, memory)]

    def _memory_trend(self, at_s: float, memory: MemoryView) -> Judgement:
        self._memory.add(at_s, memory.used_bytes)
        time_to_s = self._memory.time_to(memory.limit_bytes)
        crossed = self._trend_crossed("memory_trend", time_to_s, room.MEMORY_HORIZON_MIN)
        what = "reaches the limit, where the kernel kills,"
        return room.judge_trend("memory_trend", what, time_to_s, room.MEMORY_HORIZON_MIN, crossed=crossed)

    def _disk_now_and_later(self, seen: Observation) -> list[Judgement]:
        disk, limit, planned = seen.disk, self._limits.disk_percent, self._limits.store_bytes
        if disk is None:
            return [room.unmeasured(name, limit, "%", seen.problem("disk")) for name in ("disk", "inodes")]
        worse = room.worse_disk_percent(disk, seen.store_bytes, planned)
        crossed = self._share_crossed("disk", worse, limit)
        full_of_files = self._share_crossed("inodes", room.inodes_percent(disk), limit)
        return [
            room.judge_disk(disk, seen.store_bytes, planned, limit, crossed=crossed),
            room.judge_inodes(disk, limit, crossed=full_of_files),
            self._disk_trend(seen.at_s, disk),
        ]

    def _disk_trend(self, at_s: float, disk: DiskView) -> Judgement:
        self._disk.add(at_s, disk.used_bytes)
        time_to_s = self._disk.time_to(disk.usable_bytes)
        crossed = self._trend_crossed("disk_trend", time_to_s, room.DISK_HORIZON_MIN)
        return room.judge_trend("disk_trend", "is full", time_to_s, room.DISK_HORIZON_MIN, crossed=crossed)

    def _open_files(self, seen: Observation) -> Judgement:
        files = seen.open_files
        if files is None:
            why = seen.problem("open_files")
            return room.unmeasured("open_files", room.OPEN_FILES_PERCENT, "%", why)
        crossed = self._share_crossed("open_files", room.open_files_percent(files), room.OPEN_FILES_PERCENT)
        return room.judge_open_files(files, crossed=crossed)

    def _store(self, seen: Observation) -> list[Judgement]:
        view, limits = seen.store, self._limits
        if view is None:
            why, names = seen.problem("store"), ("collections", "index_lag", "orphans", "log_setting")
            judged = [room.unmeasured(name, None, "", why) for name in names]
        else:
            band = _COLLECTIONS_BAND_SHARE * limits.max_collections
            many = self._thresholds.crossed("collections", view.collections, limits.max_collections, band)
            behind = self._thresholds.crossed("index_lag", view.lag_rows, store.LAG_ROWS, _LAG_BAND_ROWS)
            judged = [
                store.judge_collections(view, limits.max_collections, crossed=many),
                store.judge_index_lag(view, crossed=behind),
                store.judge_orphans(view, seen.store_bytes),
                store.judge_log_setting(view),
            ]
        if limits.scrub_interval_s > 0:
            judged.append(self._scrub(seen))
        return judged

    def _watched_s(self, seen: Observation) -> float:
        return seen.at_s - (seen.at_s if self._first_at_s is None else self._first_at_s)

    def _scrub(self, seen: Observation) -> Judgement:
        ended_s = seen.scrub.ended_wall_s
        # A clock that was set back must not show a scrub of tomorrow.
        age_s = None if ended_s is None else max(0.0, seen.wall_s - ended_s)
        return store.judge_scrub(seen.scrub, self._limits.scrub_interval_s, self._watched_s(seen), age_s)

    def _share_crossed(self, name: str, value: float, limit_percent: float) -> bool:
        return self._thresholds.crossed(name, value, limit_percent, self._limits.hysteresis_points)

    def _trend_crossed(self, name: str, time_to_s: float | None, horizon_min: float) -> bool:
        """Times to a limit fall towards trouble, so both are taken negative; no trend is an endless time."""
        minutes = float("inf") if time_to_s is None else time_to_s / 60
        return self._thresholds.crossed(name, -minutes, -horizon_min, _TREND_BAND_SHARE * horizon_min)
