"""What to do about what was seen: at most one action in a tick, each with its reason and its rate limit.

Pure but for the random moment of a planned restart: time comes from the observations. Rate limits use a clock that
starts as the wall clock and then only moves on (`steady`), so a clock that is set can neither bring nor lose a restart.
"""

from __future__ import annotations

import random
from dataclasses import replace

from healthcheck import rate
from healthcheck.actions import Action, PastRestart, Phase, Remembered, Restart, RestartReason, Scrub, SetWritable
from healthcheck.hysteresis import crossed
from healthcheck.judge_room import disk_percent, inodes_percent, memory_percent
from healthcheck.limits import Limits, ServerKind
from healthcheck.observation import Observation
from healthcheck.schedule import draw, parse_schedule
from healthcheck.since import Since
from healthcheck.units import human_bytes

CEILING_FOR_S = 10.0
"""A batch that is just being written may lie above the ceiling for some seconds."""
RELIEF_POINTS = 5.0
"""A recycle must be predicted to end so far below the ceiling, else it would come back at once."""
FIRST_SCRUB_AFTER_S = 3600.0
"""A store that was never scrubbed gets its first one soon, but not while it is being filled or demonstrated."""
SCRUB_RETRY_S = 3600.0
POSTPONE_S = 300.0
RETRY_AFTER_S = 60
_KEEP_S = rate.DAY_S
_AHEAD_S = 60.0
"""Remembered times so far ahead of the clock mean that the clock was set back since."""


class Decider:
    """Keeps what a decision needs to know of the past."""

    def __init__(self, limits: Limits, remembered: Remembered, source: random.Random | None = None) -> None:
        """Args: limits: the settings. remembered: from the last run. source: of the random moment."""
        self.remembered = remembered
        """To be stored whenever it has changed."""
        self._limits = limits
        self._schedule = parse_schedule(limits.maintenance)
        self._source = source or random.SystemRandom()
        self._since = Since()
        self._wall_behind_s: float | None = None
        self._disk_closed = False
        self._inodes_closed = False
        self._told: tuple[bool, str] = (True, "")

    def decide(self, seen: Observation, phase: Phase) -> Action | None:
        """The most urgent action, or None. It rests on the figures, not on the judgements made of them.

        Args:
            seen: at this moment.
            phase: only a server that serves is restarted or scrubbed.
        """
        now_s = self._steady(seen)
        if self.remembered.first_seen_wall_s is None:
            self.remembered = replace(self.remembered, first_seen_wall_s=now_s)
        has_store = self._limits.server is not ServerKind.NONE
        why_closed = self._why_closed(seen) if has_store else ""
        if why_closed and self._told != (False, why_closed):
            return self._tell(ok=False, why=why_closed)
        serving = phase is Phase.SERVING and seen.server.running
        restart = self._urgent_restart(seen, now_s, serving=serving)
        if restart is None and serving and has_store:
            restart = self._damage_restart(seen, now_s) or self._planned_restart(seen, now_s)
        if restart is not None:
            self._remember(restart, now_s)
            return restart
        if not why_closed and not self._told[0]:
            return self._tell(ok=True, why="there is room again")
        return self._scrub(seen, now_s) if serving and has_store else None

    def postpone(self, action: Action, wall_s: float) -> None:
        """The action could not be done now, because something else has the store: a planned restart is tried again.

        Args:
            action: what was decided.
            wall_s: `time.time()`.
        """
        if isinstance(action, Restart) and action.reason is RestartReason.PLANNED:
            self.remembered = replace(self.remembered, planned_wall_s=wall_s + POSTPONE_S, planned_done_wall_s=None)

    def _steady(self, seen: Observation) -> float:
        """Seconds of the epoch as they were at the first observation, from then on by the monotonic clock."""
        if self._wall_behind_s is None:
            self._wall_behind_s = seen.wall_s - seen.at_s
            self.remembered = not_ahead(self.remembered, seen.wall_s)
        return seen.at_s + self._wall_behind_s

    def _why_closed(self, seen: Observation) -> str:
        """Why the store must not be written now, without figures that change with each tick; empty when it may."""
        limit, band = self._limits.disk_stop_percent, self._limits.hysteresis_points
        if seen.disk is not None:
            self._disk_closed = crossed(disk_percent(seen.disk), limit, band, was=self._disk_closed)
            self._inodes_closed = crossed(inodes_percent(seen.disk), limit, band, was=self._inodes_closed)
        if self._disk_closed or self._inodes_closed:
            what = "the disk" if self._disk_closed else "the disk's number of files"
            return f"{what} is above {limit:g} % full; writes are taken again below {limit - band:g} %"
        if seen.server.disk_full:
            return "the disk was full; writes are taken again after a restart and a check of every vector"
        return ""

    def _tell(self, *, ok: bool, why: str) -> SetWritable:
        self._told = (ok, "" if ok else why)
        return SetWritable(ok, why, RETRY_AFTER_S)

    def _urgent_restart(self, seen: Observation, now_s: float, *, serving: bool) -> Restart | None:
        """For the reasons that are seen by the figures of this moment, the most certain first."""
        no_room = self._disk_closed or self._inodes_closed
        # Without room a restart would only take the reads away; while it does not serve, a start is under way.
        possible = serving and not no_room
        hangs_s = self._since.held("hangs", possible and seen.server.answered is False, seen.server.pid, now_s)
        bad = possible and seen.server.answered is True and not seen.server.disk_full and self._canary_is_bad(seen)
        bad_s = self._since.held("canary", bad, seen.server.pid, now_s)
        high_s = self._since.held("ceiling", possible and self._above_ceiling(seen), seen.server.pid, now_s)
        after_s = self._limits.wedged_after_s
        for reason, due, why in (
            (RestartReason.DISK_FULL_OVER, possible and seen.server.disk_full, "the disk was full and has room again"),
            (RestartReason.SERVER_HANGS, hangs_s >= after_s, f"no answer for {hangs_s:.0f} s"),
            (RestartReason.WEDGED, bad_s >= after_s, f"the canary has been failing or hanging for {bad_s:.0f} s"),
            (RestartReason.MEMORY_CEILING, high_s >= CEILING_FOR_S, self._memory_words(seen)),
        ):
            if due and self._allowed(reason, now_s):
                return Restart(reason, why)
        return None

    def _canary_is_bad(self, seen: Observation) -> bool:
        canary, limits = seen.server.canary, self._limits
        if canary is None:
            return False
        return not canary.ok or (canary.age_s or 0.0) > limits.canary_interval_s + limits.timeout_s

    def _above_ceiling(self, seen: Observation) -> bool:
        """Whether memory is at the ceiling of a container, and a restart would bring it down."""
        memory, model = seen.memory, self._limits.memory_model
        ceiling = self._limits.memory_recycle_percent
        if memory is None or memory.scope != "container" or memory_percent(memory) < ceiling:
            return False
        if model is None or seen.store is None:
            return True
        predicted = model.predicted_bytes(seen.store.collections, seen.store.vectors, seen.store.vector_bytes)
        return 100.0 * predicted / memory.limit_bytes <= ceiling - RELIEF_POINTS

    def _memory_words(self, seen: Observation) -> str:
        if seen.memory is None:
            return ""
        used, limit = human_bytes(seen.memory.used_bytes), human_bytes(seen.memory.limit_bytes)
        return f"{used} of {limit} used, above the ceiling of {self._limits.memory_recycle_percent:g} %"

    def _damage_restart(self, seen: Observation, now_s: float) -> Restart | None:
        """Once for each scrub: if the repair does not help, the next scrub says so."""
        scrub = seen.scrub
        if scrub.running or not scrub.mendable or scrub.ended_wall_s == self.remembered.scrub_acted_wall_s:
            return None
        if not self._allowed(RestartReason.DAMAGE, now_s):
            return None
        self.remembered = replace(self.remembered, scrub_acted_wall_s=scrub.ended_wall_s)
        return Restart(RestartReason.DAMAGE, f"the scrub found {scrub.mendable} broken indexes")

    def _planned_restart(self, seen: Observation, now_s: float) -> Restart | None:
        """At a random moment of the window, once; a window that was missed is not made up for."""
        if self._schedule is None:
            return None
        window, work_s = self._schedule.window(seen.wall_s), self._limits.maintenance_limit_s
        if self.remembered.window_start_wall_s != window.start_s:
            earliest = replace(window, start_s=max(window.start_s, seen.wall_s))
            moment_s = draw(earliest, work_s, self._source)
            self.remembered = replace(self.remembered, window_start_wall_s=window.start_s, planned_wall_s=moment_s)
        moment, done = self.remembered.planned_wall_s, self.remembered.planned_done_wall_s
        if moment is None or seen.wall_s not in window or seen.wall_s < moment:
            return None
        if done is not None and now_s - done < self._schedule.period_s / 2:
            return None
        if seen.scrub.running and seen.wall_s < window.end_s - work_s:
            return None
        self.remembered = replace(self.remembered, planned_wall_s=None, planned_done_wall_s=now_s)
        return Restart(RestartReason.PLANNED, "the time drawn in this maintenance window has come")

    def _scrub(self, seen: Observation, now_s: float) -> Scrub | None:
        """From start to start an interval, or sooner when the last one did not come to its end."""
        interval_s, known = self._limits.scrub_interval_s, self.remembered
        if interval_s <= 0 or seen.scrub.running or seen.server.disk_full or not seen.server.ready:
            return None
        if known.scrub_started_wall_s is None:
            due_s = (known.first_seen_wall_s or now_s) + min(interval_s, FIRST_SCRUB_AFTER_S)
        else:
            ended = seen.scrub.ended_wall_s != known.scrub_before_wall_s
            due_s = known.scrub_started_wall_s + (interval_s if ended else min(interval_s, SCRUB_RETRY_S))
        if now_s < due_s:
            return None
        self.remembered = replace(known, scrub_started_wall_s=now_s, scrub_before_wall_s=seen.scrub.ended_wall_s)
        return Scrub(f"due every {interval_s / 3600:g} h")

    def _allowed(self, reason: RestartReason, now_s: float) -> bool:
        times_s = [past.wall_s for past in self.remembered.restarts if past.reason is reason]
        return rate.wait_s(rate.RATES[reason], times_s, now_s) == 0

    def _remember(self, restart: Restart, now_s: float) -> None:
        recent = [past for past in self.remembered.restarts if now_s - past.wall_s < _KEEP_S]
        past = (*recent, PastRestart(restart.reason, now_s))
        self.remembered = replace(self.remembered, restarts=past)


def not_ahead(remembered: Remembered, now_s: float) -> Remembered:
    """Times of the future, from a clock that was set back since, count as now: waits begin anew, and end.

    The window and its moment stay: they are times of the calendar.
    """

    def bounded(at_s: float | None) -> float | None:
        return now_s if at_s is not None and at_s > now_s + _AHEAD_S else at_s

    return replace(
        remembered,
        restarts=tuple(PastRestart(past.reason, bounded(past.wall_s) or 0.0) for past in remembered.restarts),
        first_seen_wall_s=bounded(remembered.first_seen_wall_s),
        scrub_started_wall_s=bounded(remembered.scrub_started_wall_s),
        planned_done_wall_s=bounded(remembered.planned_done_wall_s),
    )
