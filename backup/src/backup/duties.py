"""What is done next: bases by schedule, reports of drills kept, old bases removed, a daily look at everything. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from backup.schedule import Schedule

_DAY_S = 86_400.0
_REFRESH_S = 600.0
_BACKOFF_S = (30.0, 60.0, 120.0, 300.0, 600.0, 900.0)
_BUSY_S = 30.0


class Duty(StrEnum):
    """One thing to do, by the command that does it, in the order of their weight."""

    BASE = "now"
    REPORTS = "reports"
    RETAIN = "retain"
    CHECK = "check"
    LOOK = "list"


@dataclass(frozen=True, slots=True)
class Tries:
    """How a duty went lately."""

    failures: int = 0
    """In a row."""
    why: str = ""
    """Of the last failure."""
    not_before_s: float = 0.0
    """`time.monotonic()`."""

    def failed(self, why: str, now_s: float) -> Tries:
        """One more failure: longer and longer pauses."""
        wait_s = _BACKOFF_S[min(self.failures, len(_BACKOFF_S) - 1)]
        return Tries(self.failures + 1, why, now_s + wait_s)

    def postponed(self, now_s: float) -> Tries:
        """Something else was under way: no failure."""
        return replace(self, not_before_s=now_s + _BUSY_S)


@dataclass(frozen=True, slots=True)
class Agenda:
    """When what is due. Times ending in `_wall_s` are of the epoch."""

    base_wall_s: float | None
    """None when there is no schedule."""
    check_wall_s: float
    look_s: float
    """`time.monotonic()`."""
    reports: bool = False
    """A drill has ended whose report is not at the target."""
    retain: bool = False

    def due(self, tries: dict[Duty, Tries], wall_s: float, now_s: float) -> Duty | None:
        """The most important duty that may begin now."""
        ready = {
            Duty.BASE: self.base_wall_s is not None and wall_s >= self.base_wall_s,
            Duty.REPORTS: self.reports,
            Duty.RETAIN: self.retain,
            Duty.CHECK: wall_s >= self.check_wall_s,
            Duty.LOOK: now_s >= self.look_s,
        }
        return next((each for each in Duty if ready[each] and now_s >= tries[each].not_before_s), None)


def next_base_wall_s(schedule: Schedule, taken_s: float | None, wall_s: float) -> float | None:
    """When the next base is due: now when there is none yet, or one was missed.

    Args:
        schedule: of the bases.
        taken_s: when the newest was taken, or None. One from the future, by a clock that was set back, is one from now.
        wall_s: now.
    """
    if taken_s is None:
        return None if schedule.next_s(wall_s) is None else wall_s
    return schedule.next_s(min(taken_s, wall_s))


def next_check_wall_s(checked_s: float | None, wall_s: float) -> float:
    """When the next check is due: a day after the last."""
    return (wall_s if checked_s is None else min(checked_s, wall_s)) + _DAY_S


def next_look_s(now_s: float) -> float:
    """When the target's records are looked at again: drills of other containers are told there."""
    return now_s + _REFRESH_S
