"""Backing off after crashes, and the fence: pure arithmetic over a few moments."""

import pytest
from healthcheck.fence import Crashes, pause, with_crash

LIMIT, WINDOW_S = 3, 100.0


def crashed(*times_s: float, ran_s: float = 1.0) -> Crashes:
    crashes = Crashes()
    for time_s in times_s:
        crashes = with_crash(crashes, time_s, ran_s, LIMIT, WINDOW_S)
    return crashes


def test_no_crash_no_pause() -> None:
    assert pause(Crashes(), 50, WINDOW_S).seconds == 0


@pytest.mark.parametrize(("number", "seconds"), [(1, 0), (2, 1), (3, 2), (4, 4), (7, 30), (20, 30)])
def test_the_pause_doubles(number: int, seconds: float) -> None:
    crashes = Crashes()
    for _ in range(number):
        crashes = with_crash(crashes, 1000.0, 1.0, 99, WINDOW_S)
    found = pause(crashes, 1000.0, WINDOW_S)
    assert (found.seconds, found.fenced) == (seconds, False)


def test_the_pause_counts_from_the_crash() -> None:
    assert pause(crashed(10, 20), 20.4, WINDOW_S).seconds == pytest.approx(0.6)
    assert pause(crashed(10, 20), 25, WINDOW_S).seconds == 0


def test_too_many_within_a_window_put_up_the_fence() -> None:
    found = pause(crashed(10, 20, 30), 31, WINDOW_S)
    assert (found.seconds, found.fenced) == (99, True)
    assert not pause(crashed(10, 20, 130), 131, WINDOW_S).fenced


def test_the_fence_lifts_for_one_try() -> None:
    crashes = crashed(10, 20, 30)
    assert pause(crashes, 130, WINDOW_S).seconds == 0
    again = with_crash(crashes, 135, 5.0, LIMIT, WINDOW_S)
    assert pause(again, 135, WINDOW_S).fenced


def test_a_run_of_a_whole_window_forgives() -> None:
    recovered = with_crash(crashed(10, 20, 30), 300, 150.0, LIMIT, WINDOW_S)
    found = pause(recovered, 300, WINDOW_S)
    assert (found.seconds, found.fenced) == (0, False)


def test_a_crash_in_the_future_says_nothing() -> None:
    assert pause(crashed(1000, 1001, 1002), 50, WINDOW_S).seconds == 0


def test_only_what_counts_is_kept() -> None:
    assert crashed(10, 20, 500).times_s == (500,)
