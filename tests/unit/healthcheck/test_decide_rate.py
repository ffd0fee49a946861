"""How often the server may be restarted for one reason."""

import itertools

import pytest
from healthcheck.actions import RestartReason
from healthcheck.rate import DAY_S, RATES, Rate, wait_s
from hypothesis import given
from hypothesis import strategies as st

RATE = Rate(first_s=60, longest_s=600, memory_s=3600)


@pytest.mark.parametrize(
    ("ages_s", "wait"),
    [
        ([], 0),
        ([10], 50),
        ([60], 0),
        ([10, 100], 110),
        ([10, 100, 200], 230),
        ([10] * 5, 590),
        ([10] * 5000, 590),
        ([3600], 0),
        ([10, 3600, 7200], 50),
    ],
)
def test_each_wait_is_twice_the_last(ages_s: list[float], wait: float) -> None:
    assert wait_s(RATE, [10_000 - age_s for age_s in ages_s], 10_000) == pytest.approx(wait)


def test_a_time_in_the_future_counts_as_now() -> None:
    assert wait_s(RATE, [99_999], 10_000) == 60


@given(st.sampled_from(sorted(RATES)), st.lists(st.floats(0.1, 7200), min_size=50, max_size=400))
def test_however_often_it_is_wanted_a_day_has_few(reason: RestartReason, gaps_s: list[float]) -> None:
    rate = RATES[reason]
    done: list[float] = []
    now_s = 1e9
    for gap_s in gaps_s:
        now_s += gap_s
        if wait_s(rate, done, now_s) == 0:
            done.append(now_s)
    for start_s in done:
        within_a_day = [at_s for at_s in done if start_s <= at_s < start_s + DAY_S]
        # As many doublings as lead to the longest wait, then one in each.
        assert len(within_a_day) <= 12 + DAY_S / rate.longest_s
    assert all(later - earlier >= rate.first_s for earlier, later in itertools.pairwise(done))


@given(st.lists(st.floats(0, 1e6), max_size=20), st.floats(0, 1e6))
def test_waiting_as_long_as_it_says_is_enough(times_s: list[float], now_s: float) -> None:
    wait = wait_s(RATE, times_s, now_s)
    assert 0 <= wait <= RATE.longest_s
    past = [min(at_s, now_s) for at_s in times_s]
    assert wait_s(RATE, past, now_s + wait) == pytest.approx(0, abs=1e-6)
