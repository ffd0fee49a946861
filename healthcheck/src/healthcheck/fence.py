"""After a crash: how long to wait before the next try, and when to keep the store closed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Crashes:
    """The crashes that still count. Times are seconds of the epoch: they outlive the container."""

    times_s: tuple[float, ...] = ()
    """Oldest first."""
    tripped: bool = False
    """Whether the fence was put up, and no run since has lasted a whole window: then one crash puts it up again."""


@dataclass(frozen=True, slots=True)
class Pause:
    """What to do before the next start."""

    seconds: float
    fenced: bool
    """Whether this is the fence, not just backing off."""


def with_crash(before: Crashes, now_s: float, ran_s: float, limit: int, window_s: float) -> Crashes:
    """Count a crash of a server that ran that long; `limit` of them within a window put up the fence."""
    times_s = (*_counting(before, now_s, window_s), now_s)
    return Crashes(times_s, tripped=len(times_s) >= limit or (before.tripped and ran_s < window_s))


def pause(crashes: Crashes, now_s: float, window_s: float) -> Pause:
    """Nothing after the first crash, then 1, 2, 4 … 30 s; with the fence up, a whole window from the last one."""
    counting = _counting(crashes, now_s, window_s)
    if not counting:
        return Pause(0.0, fenced=False)
    since_s = now_s - counting[-1]
    if crashes.tripped:
        return Pause(max(0.0, window_s - since_s), fenced=True)
    backoff_s = 0.0 if len(counting) == 1 else min(_LONGEST_PAUSE_S, 2.0 ** (len(counting) - 2))
    return Pause(max(0.0, backoff_s - since_s), fenced=False)


def _counting(crashes: Crashes, now_s: float, window_s: float) -> tuple[float, ...]:
    """The crashes of the last window. One in the future was noted before the clock was set back: it says nothing."""
    return tuple(time_s for time_s in crashes.times_s if 0 <= now_s - time_s < window_s)
