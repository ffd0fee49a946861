"""Planned restarts: once in a window, at a moment of its own, whatever happens to the guard or the clock."""

import sys
from pathlib import Path

import pytest
from healthcheck.actions import Remembered, Restart, RestartReason
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from decision_scene import MONDAY, World  # found by the line above

HOUR_S, DAY_S, WEEK_S = 3600.0, 86_400.0, 604_800.0
SUNDAY_3_S = MONDAY + 6 * DAY_S + 3 * HOUR_S


def test_weekly_within_the_window_and_in_time_for_the_work() -> None:
    world = World(maintenance="sun 03:00 120m")
    world.run(3 * WEEK_S, step_s=30)
    assert world.restarts() == [RestartReason.PLANNED] * 3
    for week, (at_s, action) in enumerate(world.done):
        wall_s = MONDAY + at_s - 1000
        assert SUNDAY_3_S + week * WEEK_S <= wall_s <= SUNDAY_3_S + week * WEEK_S + 1.5 * HOUR_S + 60
        assert isinstance(action, Restart)
        assert action.maintain
        assert not action.verify_everything


def test_never() -> None:
    world = World(maintenance="never")
    world.run(2 * WEEK_S, step_s=600)
    assert world.done == []


def test_the_moment_is_drawn_once_and_kept_over_a_restart_of_the_guard() -> None:
    world = World(maintenance="sun 03:00 120m")
    world.run(10)
    drawn = world.decider.remembered.planned_wall_s
    again = World(world.decider.remembered, maintenance="sun 03:00 120m")
    again.run(10)
    assert again.decider.remembered.planned_wall_s == drawn


def test_once_in_a_window_though_the_guard_is_restarted_in_it() -> None:
    remembered, wall_s, planned = Remembered(), SUNDAY_3_S, 0
    for _ in range(12):
        world = World(remembered, wall_s=wall_s, maintenance="sun 03:00 120m")
        world.run(600, step_s=10)
        remembered, wall_s, planned = world.decider.remembered, world.wall_s, planned + len(world.restarts())
    assert planned == 1


def test_once_in_a_window_that_lasts_all_day() -> None:
    world = World(maintenance="daily 00:00 1440m", maintenance_limit_s=DAY_S)
    world.run(23.9 * HOUR_S, step_s=60)
    assert world.restarts() == [RestartReason.PLANNED]


def test_a_window_that_was_missed_is_not_made_up_for() -> None:
    world = World(maintenance="sun 03:00 120m")
    world.run(10)
    late = World(world.decider.remembered, wall_s=SUNDAY_3_S + 3 * HOUR_S, maintenance="sun 03:00 120m")
    late.run(4 * DAY_S, step_s=600)
    assert late.done == []


def test_a_running_scrub_is_waited_for_as_long_as_there_is_time() -> None:
    world = World(maintenance="daily 00:00 60m", maintenance_limit_s=600.0)
    world.scrub(running=True)
    world.run(49 * 60)
    assert world.restarts() == []
    world.run(120)
    assert world.restarts() == [RestartReason.PLANNED]


def test_one_that_could_not_be_done_is_tried_again_in_the_same_window() -> None:
    world = World(maintenance="daily 00:00 60m", maintenance_limit_s=3600.0)
    (first,) = world.run(10)
    world.decider.postpone(first, world.wall_s)
    assert world.run(280) == []
    assert len(world.run(30)) == 1
    assert world.run(HOUR_S) == []


@pytest.mark.parametrize("jump_s", [-10 * 365 * DAY_S, -WEEK_S, -DAY_S, -HOUR_S, HOUR_S, DAY_S, WEEK_S, 20 * WEEK_S])
def test_a_clock_that_jumps_brings_at_most_one_restart(jump_s: float) -> None:
    world = World(maintenance="daily 03:00 60m", wall_s=MONDAY + 3 * HOUR_S, scrub_interval_s=DAY_S)
    world.run(HOUR_S, step_s=10)
    assert len(world.restarts()) == 1
    world.wall_s += jump_s
    world.run(6 * HOUR_S, step_s=10)
    assert len(world.restarts()) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-3 * DAY_S, 3 * DAY_S), max_size=30), st.booleans())
def test_no_storm_by_a_clock_that_jumps_all_the_time(jumps_s: list[float], restart_the_guard: bool) -> None:
    world = World(maintenance="daily 03:00 60m", scrub_interval_s=DAY_S)
    done = 0
    for jump_s in jumps_s:
        world.wall_s += jump_s
        world.run(1800, step_s=300)
    planned = sum(reason is RestartReason.PLANNED for reason in world.restarts())
    lived_s = 1800 * len(jumps_s)
    assert planned <= 1 + lived_s / (DAY_S / 2)
    if restart_the_guard:
        again = World(world.decider.remembered, wall_s=world.wall_s, maintenance="daily 03:00 60m")
        again.run(1800, step_s=300)
        done = len(again.restarts())
    assert done <= 1
