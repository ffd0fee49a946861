"""When a planned restart may happen: windows in UTC, and a random moment in each.

`sun 03:00 120m` (weekly), `daily 03:00 60m`, `never`. The moment is random so that the servers of several stacks, which
all have the same default, do not restart together.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday; Monday is 0."""
_MAX_WINDOW_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds of the epoch; the end is not part of it."""

    start_s: float
    end_s: float

    def __contains__(self, wall_s: float) -> bool:
        return self.start_s <= wall_s < self.end_s


@dataclass(frozen=True, slots=True)
class Schedule:
    """A window that comes back every period."""

    offset_s: float
    """From the epoch to the first start."""
    period_s: float
    length_s: float

    def window(self, wall_s: float) -> Window:
        """The window that this moment is in, else the next one."""
        start_s = self.offset_s + (wall_s - self.offset_s) // self.period_s * self.period_s
        if wall_s >= start_s + self.length_s:
            start_s += self.period_s
        return Window(start_s, start_s + self.length_s)


def parse_schedule(text: str) -> Schedule | None:
    """Read `DAY HH:MM LENGTHm` with mon…sun or daily for DAY; None for `never`.

    Raises:
        ValueError: saying what is wrong with it.
    """
    words = text.lower().split()
    if words == ["never"]:
        return None
    if len(words) != 3:
        raise ValueError("is neither `DAY HH:MM LENGTHm` nor `never`")
    day, clock, length = words
    if day != "daily" and day not in _DAYS:
        raise ValueError(f"has the day {day!r}; there are {', '.join(_DAYS)} and daily")
    hours, colon, minutes = clock.partition(":")
    if not (colon and _is_number(hours, 0, 23) and _is_number(minutes, 0, 59) and len(minutes) == 2):
        raise ValueError(f"has the time {clock!r}, which is not HH:MM in UTC")
    if not (length.endswith("m") and _is_number(length[:-1], 1, _MAX_WINDOW_MINUTES)):
        raise ValueError(f"has the length {length!r}, which is not 1m to {_MAX_WINDOW_MINUTES}m")
    at_s = 3600.0 * int(hours) + 60.0 * int(minutes)
    if day == "daily":
        return Schedule(at_s, DAY_S, 60.0 * int(length[:-1]))
    days = (_DAYS.index(day) - _EPOCH_WEEKDAY) % 7
    return Schedule(days * DAY_S + at_s, WEEK_S, 60.0 * int(length[:-1]))


def draw(window: Window, work_s: float, source: random.Random) -> float:
    """A random moment in the window, early enough that work of this length ends in it where it fits at all."""
    return source.uniform(window.start_s, max(window.start_s, window.end_s - work_s))


def _is_number(text: str, low: int, high: int) -> bool:
    return text.isascii() and text.isdigit() and low <= int(text) <= high
