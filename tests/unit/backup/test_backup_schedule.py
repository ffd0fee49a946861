from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from backup.schedule import Schedule, check_expression, check_time_zone

HOUR_S = 3600.0


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def test_a_slot_keeps_its_delay_and_stacks_differ() -> None:
    one, other = (Schedule("0 * * * *", "UTC", 300, f"{stack}/base") for stack in ("dev", "prod"))
    slot_s = at("2026-11-23T09:00:00+00:00")
    moment_s = one.next_s(slot_s - 1800)
    assert moment_s is not None
    assert slot_s <= moment_s <= slot_s + 300
    assert one.next_s(slot_s - 60) == one.next_s(slot_s) == moment_s
    assert other.next_s(slot_s) != moment_s
    after_s = one.next_s(moment_s)
    assert after_s is not None
    assert slot_s + HOUR_S <= after_s <= slot_s + HOUR_S + 300


def test_a_moment_within_the_delay_is_still_to_come() -> None:
    """A daemon that starts just after the slot must not miss it."""
    schedule = Schedule("0 * * * *", "UTC", 3000, "x")
    slot_s = at("2026-11-23T09:00:00+00:00")
    due_s = schedule.next_s(slot_s)
    assert due_s is not None
    assert schedule.next_s(due_s - 1) == due_s


def test_the_time_zone_counts() -> None:
    schedule = Schedule("30 4 * * *", "Europe/Berlin", 0, "x")
    due_s = schedule.next_s(at("2026-07-01T00:00:00+00:00"))
    assert due_s is not None
    local = datetime.datetime.fromtimestamp(due_s, ZoneInfo("Europe/Berlin"))
    assert (local.hour, local.minute) == (4, 30)


def test_overdue_is_after_two_slots() -> None:
    schedule = Schedule("0 * * * *", "UTC", 300, "x")
    last_s = at("2026-11-23T09:02:00+00:00")
    assert schedule.overdue_after_s(last_s) == at("2026-11-23T11:05:00+00:00")


def test_never_is_never() -> None:
    schedule = Schedule("never", "UTC", 0, "x")
    assert schedule.next_s(0) is None
    assert schedule.overdue_after_s(0) is None


@pytest.mark.parametrize("text", ["", "hourly", "0 * * *", "61 * * * *", "0 0 31 2 *"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"fields|cron|never comes"):
        check_expression(text)


def test_what_is_no_time_zone_is_refused() -> None:
    check_time_zone("UTC")
    for text in ("", "Mars/Olympus", "../../etc/passwd"):
        with pytest.raises(ValueError, match="no time zone"):
            check_time_zone(text)
