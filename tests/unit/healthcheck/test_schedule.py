"""Maintenance windows: their notation, when the next one is, and the moment drawn in it."""

import datetime
import random

import pytest
from healthcheck.schedule import DAY_S, Window, draw, parse_schedule
from hypothesis import given
from hypothesis import strategies as st

WALL = st.floats(0, 4e9, allow_nan=False)
TEXTS = st.builds(
    "{} {:02}:{:02} {}m".format,
    st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun", "daily"]),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(1, 1440),
)


def utc(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "now", "start", "end"),
    [
        ("sun 03:00 120m", "2026-11-23 12:00", "2026-11-29 03:00", "2026-11-29 05:00"),
        ("sun 03:00 120m", "2026-11-29 04:59", "2026-11-29 03:00", "2026-11-29 05:00"),
        ("sun 03:00 120m", "2026-11-29 05:00", "2026-12-06 03:00", "2026-12-06 05:00"),
        ("Mon 00:00 1m", "2026-11-22 23:59", "2026-11-23 00:00", "2026-11-23 00:01"),
        ("daily 23:30 60m", "2026-11-23 00:15", "2026-11-22 23:30", "2026-11-23 00:30"),
        ("daily 03:00 60m", "2026-11-23 04:00", "2026-11-24 03:00", "2026-11-24 04:00"),
        ("sat 23:00 120m", "2026-11-29 00:30", "2026-11-28 23:00", "2026-11-29 01:00"),
    ],
)
def test_the_window_of_a_moment(text: str, now: str, start: str, end: str) -> None:
    schedule = parse_schedule(text)
    assert schedule is not None
    assert schedule.window(utc(now)) == Window(utc(start), utc(end))


def test_never() -> None:
    assert parse_schedule("never") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "neither"),
        ("sun 03:00", "neither"),
        ("sunday 03:00 60m", "day 'sunday'"),
        ("sun 3 60m", "time '3'"),
        ("sun 24:00 60m", "time '24:00'"),
        ("sun 03:60 60m", "time '03:60'"),
        ("sun 03:0 60m", "time '03:0'"),
        ("sun 03:00 60", "length '60'"),
        ("sun 03:00 0m", "length '0m'"),
        ("sun 03:00 1441m", "length '1441m'"),
        ("sun 03:00 -5m", "length '-5m'"),
        ("sun 03:00 ²m", "length '²m'"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_schedule(text)


@given(TEXTS, WALL)
def test_a_window_is_now_or_the_very_next(text: str, wall_s: float) -> None:
    schedule = parse_schedule(text)
    assert schedule is not None
    window = schedule.window(wall_s)
    assert window.end_s > wall_s
    assert window.start_s <= wall_s or window.start_s - wall_s <= schedule.period_s - schedule.length_s
    assert schedule.window(window.start_s) == window
    assert schedule.window(window.end_s).start_s == window.start_s + schedule.period_s
    weekday = datetime.datetime.fromtimestamp(window.start_s, datetime.UTC).strftime("%a").lower()
    assert text.startswith(("daily", weekday))


@given(WALL, st.floats(60, DAY_S), st.floats(0, 1e5), st.integers())
def test_the_moment_is_in_the_window_with_time_for_the_work(
    start_s: float, length_s: float, work_s: float, seed: int
) -> None:
    window = Window(start_s, start_s + length_s)
    moment_s = draw(window, work_s, random.Random(seed))  # noqa: S311 (reproducible)
    assert window.start_s <= moment_s <= max(window.start_s, window.end_s - work_s)


def test_moments_of_several_stacks_differ() -> None:
    window = Window(0, 7200)
    sources = [random.Random(seed) for seed in range(20)]  # noqa: S311 (reproducible)
    assert len({draw(window, 1800, source) for source in sources}) == 20
