from __future__ import annotations

import datetime
from dataclasses import replace

from backup.retention import Aged, Keep, leaving
from hypothesis import given
from hypothesis import strategies as st

DAY_S = 86_400.0
NOON_S = datetime.datetime(2026, 11, 23, 12, 30, tzinfo=datetime.UTC).timestamp()


def hourly(count: int, *, verified: set[int] = frozenset(), pinned: set[int] = frozenset()) -> list[Aged]:  # type: ignore[assignment]
    """One an hour, number 0 the newest."""
    return [
        Aged(f"b{number}", NOON_S - 3600.0 * number, number in verified, number in pinned) for number in range(count)
    ]


def test_the_newest_of_each_period_stays() -> None:
    gone = set(leaving(hourly(24 * 40), Keep(last=2, hourly=6, daily=3, weekly=2, monthly=2)))
    stay = [number for number in range(24 * 40) if f"b{number}" not in gone]
    # Six hours; the newest of two days before today (at 23:30); of the week before this one; of the month before.
    assert stay[:6] == list(range(6))
    assert stay[6:8] == [13, 37]
    assert len(stay) == 9
    oldest = datetime.datetime.fromtimestamp(NOON_S - 3600.0 * stay[-1], datetime.UTC)
    assert (oldest.month, oldest.day, oldest.hour) == (10, 31, 23)


def test_the_last_verified_and_the_pinned_stay() -> None:
    gone = leaving(hourly(200, verified={150, 180}, pinned={199}), Keep(1, 0, 0, 0, 0))
    assert {"b0", "b150", "b199"}.isdisjoint(gone)
    assert "b180" in gone
    assert len(gone) == 197
    assert gone[0] == "b198"  # the oldest goes first


@given(
    bases=st.lists(
        st.builds(
            Aged,
            id=st.uuids().map(str),
            taken_s=st.floats(0, 4e9),
            verified=st.booleans(),
            pinned=st.booleans(),
            lacking=st.booleans(),
        ),
        max_size=40,
        unique_by=lambda base: base.id,
    ),
    keep=st.builds(
        Keep,
        last=st.integers(0, 3),
        hourly=st.integers(0, 3),
        daily=st.integers(0, 3),
        weekly=st.integers(0, 3),
        monthly=st.integers(0, 3),
    ),
)
def test_whatever_is_kept_nothing_precious_goes(bases: list[Aged], keep: Keep) -> None:
    gone = set(leaving(bases, keep))
    whole = [base for base in bases if not base.lacking]
    stay = [base for base in whole if base.id not in gone]
    assert len(stay) >= min(len(whole), max(1, keep.last))
    assert not any(base.pinned for base in whole if base.id in gone)
    verified_s = max((base.taken_s for base in whole if base.verified), default=None)
    if verified_s is not None:
        assert verified_s in [base.taken_s for base in stay if base.verified]
    if whole:
        assert max(base.taken_s for base in whole) in [base.taken_s for base in stay]
    lacking = {base.id for base in bases if base.lacking and verified_s is not None and base.taken_s < verified_s}
    assert gone & {base.id for base in bases if base.lacking} == lacking


def test_what_lacks_data_takes_no_others_place_and_goes_after_a_later_one_was_verified() -> None:
    bases = [replace(each, lacking=each.id in {"b1", "b4"}) for each in hourly(6, verified={3, 4})]
    assert leaving(bases, Keep(2, 0, 0, 0, 0)) == ("b5", "b4")  # b0, b2 are the last two, b3 was verified
