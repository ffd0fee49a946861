"""When a base or a drill is due: cron in a time zone, and a delay that spreads stacks with the same schedule."""

from __future__ import annotations

import datetime
import hashlib
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass

from cronsim import CronSim, CronSimError

NEVER = "never"
_MOST_SLOTS = 100
"""Slots looked at for one answer: more than fit into the longest jitter between two of a sane schedule."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Slots of a cron expression, each with a delay of its own that is the same whenever it is asked for."""

    expression: str
    time_zone: str
    jitter_s: float
    """Longest delay."""
    seed: str
    """Of the delays: the stack and what is scheduled."""

    def next_s(self, after_s: float) -> float | None:
        """The first moment after this one, in seconds of the epoch; None when there is never one."""
        best: float | None = None
        for number, slot_s in enumerate(self._slots(after_s - self.jitter_s)):
            if number >= _MOST_SLOTS or (best is not None and slot_s >= best):
                break
            moment_s = slot_s + self._delay_s(slot_s)
            if moment_s > after_s and (best is None or moment_s < best):
                best = moment_s
        return best

    def overdue_after_s(self, last_s: float) -> float | None:
        """When two schedules have passed since the last time, with the longest delay; None when there is none."""
        slots = self._slots(last_s)
        next(slots, None)
        second_s = next(slots, None)
        return None if second_s is None else second_s + self.jitter_s

    def _slots(self, after_s: float) -> Iterator[float]:
        if self.expression == NEVER:
            return
        start = datetime.datetime.fromtimestamp(after_s, _zone(self.time_zone))
        for slot in CronSim(self.expression, start):
            yield slot.timestamp()

    def _delay_s(self, slot_s: float) -> float:
        digest = hashlib.sha256(f"{self.seed}/{slot_s:.0f}".encode()).digest()
        return self.jitter_s * int.from_bytes(digest[:6], "big") / (1 << 48)


def check_expression(text: str) -> None:
    """Raise when it is no schedule.

    Raises:
        ValueError: saying what is wrong with it.
    """
    if text == NEVER:
        return
    if len(text.split()) != 5:
        raise ValueError("does not have the five fields minute, hour, day, month, weekday")
    try:
        next(CronSim(text, datetime.datetime.now(datetime.UTC)))
    except CronSimError as error:
        raise ValueError(f"is no cron expression ({error})") from error
    except StopIteration:
        raise ValueError("names a moment that never comes") from None


def check_time_zone(text: str) -> None:
    """Raise when there is no such time zone.

    Raises:
        ValueError: saying so.
    """
    try:
        _zone(text)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("is no time zone that is known here") from None


def _zone(name: str) -> datetime.tzinfo:
    return datetime.UTC if name == "UTC" else zoneinfo.ZoneInfo(name)  # an image may have no time zones at all
