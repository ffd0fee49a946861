"""Which bases stay: some of the last, hours, days, weeks and months; whatever was verified last; whatever is pinned."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keep:
    """How many of each. Of an hour, a day, a week, a month (UTC) its newest base stays."""

    last: int
    hourly: int
    daily: int
    weekly: int
    monthly: int


@dataclass(frozen=True, slots=True)
class Aged:
    """What decides about a base."""

    id: str
    taken_s: float
    verified: bool
    pinned: bool
    lacking: bool = False
    """Whether data of it is gone."""


def leaving(bases: Iterable[Aged], keep: Keep) -> tuple[str, ...]:
    """Ids of the bases that go, oldest first.

    Never the newest, never the one that was verified last, never one that is pinned. One that lacks data goes when a
    later one was verified, and until then takes no other's place.
    """
    all_newest_first = sorted(bases, key=lambda base: (base.taken_s, base.id), reverse=True)
    newest_first = [base for base in all_newest_first if not base.lacking]
    verified_s = next((base.taken_s for base in newest_first if base.verified), float("-inf"))
    staying = {base.id for base in newest_first[: max(1, keep.last)]}
    staying |= {base.id for base in newest_first if base.pinned}
    staying |= {base.id for base in [each for each in newest_first if each.verified][:1]}
    for number, period in ((keep.hourly, _hour), (keep.daily, _day), (keep.weekly, _week), (keep.monthly, _month)):
        staying |= _newest_of_each(newest_first, number, period)
    staying |= {base.id for base in all_newest_first if base.lacking and base.taken_s >= verified_s}
    return tuple(base.id for base in reversed(all_newest_first) if base.id not in staying)


def _newest_of_each(newest_first: list[Aged], number: int, period: Callable[[datetime.datetime], object]) -> set[str]:
    kept: dict[object, str] = {}
    for base in newest_first:
        of = period(datetime.datetime.fromtimestamp(base.taken_s, datetime.UTC))
        if of not in kept and len(kept) < number:
            kept[of] = base.id
    return set(kept.values())


def _hour(moment: datetime.datetime) -> object:
    return moment.date(), moment.hour


def _day(moment: datetime.datetime) -> object:
    return moment.date()


def _week(moment: datetime.datetime) -> object:
    return moment.isocalendar()[:2]


def _month(moment: datetime.datetime) -> object:
    return moment.year, moment.month
