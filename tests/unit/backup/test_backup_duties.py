from __future__ import annotations

from dataclasses import replace

from backup.archive_retention import Known
from backup.archive_retention import leaving as lineages_leaving
from backup.duties import Agenda, Duty, Tries, next_base_wall_s, next_check_wall_s
from backup.schedule import Schedule
from backup.throttle import Throttle

DAY_S = 86_400.0
HOURLY = Schedule("0 * * * *", "UTC", 0, "x")
NOW_S = 1_795_420_800.0  # a full hour
NO_TRIES = {duty: Tries() for duty in Duty}


def test_the_first_base_is_due_at_once_and_a_missed_one_too() -> None:
    assert next_base_wall_s(HOURLY, None, NOW_S) == NOW_S
    assert next_base_wall_s(HOURLY, NOW_S + 60, NOW_S + 120) == NOW_S + 3600
    missed_s = next_base_wall_s(HOURLY, NOW_S - 90_000, NOW_S)
    assert missed_s is not None
    assert missed_s < NOW_S
    assert next_base_wall_s(Schedule("never", "UTC", 0, "x"), None, NOW_S) is None


def test_a_clock_that_was_set_back_puts_nothing_off_for_long() -> None:
    assert next_base_wall_s(HOURLY, NOW_S + 40 * DAY_S, NOW_S) == NOW_S + 3600
    assert next_check_wall_s(NOW_S + 40 * DAY_S, NOW_S) == NOW_S + DAY_S


def test_what_weighs_more_comes_first_and_failures_wait() -> None:
    agenda = Agenda(base_wall_s=NOW_S, check_wall_s=NOW_S, look_s=0.0, retain=True)
    assert agenda.due(NO_TRIES, NOW_S, 100.0) is Duty.BASE
    drilled = replace(agenda, base_wall_s=None, reports=True)
    assert drilled.due(NO_TRIES, NOW_S, 100.0) is Duty.REPORTS
    tries = {**NO_TRIES, Duty.BASE: Tries().failed("no room", 100.0)}
    assert agenda.due(tries, NOW_S, 100.0) is Duty.RETAIN
    assert agenda.due(tries, NOW_S, 131.0) is Duty.BASE
    assert Agenda(None, NOW_S + 1, 200.0).due(NO_TRIES, NOW_S, 100.0) is None


def test_pauses_grow_and_being_busy_is_no_failure() -> None:
    tries, waits = Tries(), []
    for _ in range(8):
        tries = tries.failed("gone", 0.0)
        waits.append(tries.not_before_s)
    assert waits == [30, 60, 120, 300, 600, 900, 900, 900]
    assert tries.failures == 8
    assert Tries().postponed(5.0) == Tries(0, "", 35.0)


def test_lineages_go_when_nobody_can_want_them() -> None:
    lineages = [
        Known("a", NOW_S - 30 * DAY_S, NOW_S - 30 * DAY_S),
        Known("b", NOW_S - 20 * DAY_S, NOW_S - 20 * DAY_S),  # `a` ended then
        Known("c", NOW_S - 3 * DAY_S, None),  # never whole, and ended by `d`
        Known("d", NOW_S - 2 * DAY_S, NOW_S - 2 * DAY_S),  # `b` ended then
        Known("e", NOW_S - 60, None),  # the present one, not whole yet
    ]
    assert lineages_leaving(lineages, "e", 7, NOW_S) == ("a", "c")
    assert lineages_leaving(lineages[:1], "x", 7, NOW_S) == ()


def test_a_tool_that_says_the_same_for_hours_is_heard_a_little() -> None:
    now_s = 0.0
    throttle = Throttle(lambda: now_s)
    assert [throttle.passes() for _ in range(12)] == [True] * 10 + [False] * 2
    assert throttle.held_back == 2
    now_s = 61.0
    assert throttle.passes()
