"""A threshold does not flap, and a trend is one only when it is plain."""

import pytest
from healthcheck.hysteresis import Thresholds, crossed
from healthcheck.trend import Trend, fit, time_to
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.floats(0, 200, allow_nan=False)
BANDS = st.floats(0, 50, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "was", "now"),
    [(84.9, False, False), (85, False, True), (84.9, True, True), (82.1, True, True), (82, True, False)],
)
def test_crossed_at_its_limit_and_left_below_the_band(value: float, was: bool, now: bool) -> None:
    assert crossed(value, 85, 3, was=was) is now


@given(st.lists(st.floats(82.01, 84.99), max_size=50), st.booleans())
def test_within_the_band_nothing_changes(values: list[float], was: bool) -> None:
    thresholds = Thresholds()
    thresholds.crossed("memory", 90 if was else 50, 85, 3)
    assert {thresholds.crossed("memory", value, 85, 3) for value in values} <= {was}


@given(st.lists(VALUES, min_size=1, max_size=60), BANDS)
def test_between_two_changes_the_value_went_through_the_band(values: list[float], band: float) -> None:
    thresholds, was, turned_at = Thresholds(), False, 0.0
    for value in values:
        now = thresholds.crossed("disk", value, 80, band)
        if now != was:
            assert value >= 80 if now else value <= 80 - band
            assert turned_at == 0 or abs(value - turned_at) >= band
            turned_at = value
        was = now


@given(VALUES)
def test_without_a_band_it_is_a_plain_limit(value: float) -> None:
    assert crossed(value, 80, 0, was=True) == crossed(value, 80, 0, was=False) == (value >= 80)


def test_each_name_has_its_own_state() -> None:
    thresholds = Thresholds()
    assert thresholds.crossed("memory", 86, 85, 3)
    assert not thresholds.crossed("disk", 84, 85, 3)
    assert thresholds.crossed("memory", 84, 85, 3)


def line(per_s: float, start: float, span_s: int = 600, noise: float = 0.0) -> list[tuple[float, float]]:
    return [(at, start + per_s * at + noise * (1 if at // 10 % 2 else -1)) for at in range(0, span_s + 1, 10)]


@given(st.floats(-1e6, 1e6), st.floats(0, 1e12), st.floats(0, 1e6))
def test_a_straight_line_is_found(per_s: float, start: float, offset_s: float) -> None:
    found = fit([(offset_s + at, value) for at, value in line(per_s, start)])
    assert found is not None
    assert found.per_s == pytest.approx(per_s, rel=1e-3, abs=1e-3)
    assert found.span_s == pytest.approx(600)


@pytest.mark.parametrize("samples", [[], [(0, 1)], [(0, 1), (10, 2)], [(5, 1), (5, 2), (5, 3)]])
def test_no_line_through_too_little(samples: list[tuple[float, float]]) -> None:
    assert fit(samples) is None


def test_time_to_the_limit() -> None:
    assert time_to(1000, line(1, 100)) == pytest.approx(300)


def test_a_limit_that_is_passed_is_reached_now() -> None:
    assert time_to(500, line(1, 100)) == 0


@pytest.mark.parametrize(
    "samples",
    [
        line(0, 500),
        line(-1, 900),
        line(1, 100, span_s=110),
        line(0.01, 500),
        line(0.05, 500, noise=100),
    ],
    ids=["level", "falling", "too short", "too slow", "noise"],
)
def test_what_is_no_trend(samples: list[tuple[float, float]]) -> None:
    assert time_to(1000, samples) is None


@given(st.lists(st.floats(490, 510), min_size=20, max_size=60))
def test_noise_of_less_than_a_hundredth_is_never_a_trend_that_is_near(values: list[float]) -> None:
    found = time_to(10_000, [(10.0 * row, value) for row, value in enumerate(values)])
    assert found is None


def test_a_trend_keeps_ten_minutes_and_a_sample_every_ten_seconds() -> None:
    trend = Trend()
    for at_s in range(7200):
        trend.add(at_s, 100.0 if at_s < 6000 else 100 + (at_s - 6000))
    assert trend.time_to(10_000) == pytest.approx((10_000 - 1299) / 1, rel=0.01)
    trend.clear()
    assert trend.time_to(10_000) is None
