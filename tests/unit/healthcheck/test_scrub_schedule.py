"""When the store is scrubbed."""

import sys
from pathlib import Path

from healthcheck.actions import Phase, Scrub
from healthcheck.observation import ScrubView

sys.path.insert(0, str(Path(__file__).parent))

from decision_scene import World  # found by the line above

DAY_S = 86_400.0


def days(world: World, count: float, *, works: bool = True) -> int:
    """Run; each scrub takes ten minutes, and comes to its end or not. How many were started."""
    started = 0
    for _ in range(round(count * 144)):
        begun = [action for action in world.run(600, step_s=60) if isinstance(action, Scrub)]
        started += len(begun)
        if begun and works:
            world.scrub(ended_wall_s=world.wall_s)
    return started


def test_the_first_an_hour_after_the_first_sight_then_one_each_day() -> None:
    world = World(scrub_interval_s=DAY_S)
    assert days(world, 59 / 1440) == 0
    assert days(world, 20 / 1440) == 1
    assert days(world, 10) == 10


def test_a_short_interval_holds_from_the_beginning() -> None:
    world = World(scrub_interval_s=30)
    world.run(29)
    assert world.done == []
    world.run(3)
    assert isinstance(world.done[0][1], Scrub)


def test_never() -> None:
    assert days(World(scrub_interval_s=0), 5) == 0


def test_one_that_does_not_come_to_its_end_is_tried_again_each_hour() -> None:
    world = World(scrub_interval_s=DAY_S)
    assert 20 <= days(world, 1, works=False) <= 24


def test_no_second_one_while_one_runs() -> None:
    world = World(scrub_interval_s=60)
    world.see(scrub=ScrubView(running=True))
    assert days(world, 1) == 0


def test_none_unless_the_server_serves() -> None:
    world = World(scrub_interval_s=60)
    world.phase = Phase.MAINTAINING
    assert days(world, 0.1) == 0
    world.phase = Phase.SERVING
    world.server(status="failing")
    assert days(world, 0.1) == 0


def test_a_restart_of_the_guard_does_not_begin_the_interval_anew() -> None:
    world = World(scrub_interval_s=DAY_S)
    days(world, 0.5)
    again = World(world.decider.remembered, wall_s=world.wall_s, scrub_interval_s=DAY_S)
    again.scrub(ended_wall_s=world.wall_s - 0.4 * DAY_S)
    assert days(again, 0.5) == 0
    assert days(again, 0.1) == 1


def test_a_clock_that_jumps_does_not_scrub_more_often() -> None:
    world = World(scrub_interval_s=DAY_S)
    days(world, 0.2)
    for jump_s in (30 * DAY_S, -60 * DAY_S, 365 * DAY_S):
        world.wall_s += jump_s
        assert days(world, 0.1) == 0
