"""What is restored for a wish, and in which order it is tried."""

from __future__ import annotations

import datetime

import pytest
from backup.bases import Base
from backup.lineage import Position
from backup.ltx import Piece
from backup.manifest import Manifest
from backup.restoring.candidates import candidates
from backup.restoring.shipped import Point
from backup.restoring.wanted import Wanted, in_words, read

NOON_S = datetime.datetime(2027, 1, 31, 12, tzinfo=datetime.UTC).timestamp()


def point(lineage: str, transaction: int, made_s: float) -> Point:
    return Point(lineage, transaction, made_s, (Piece(9, 1, transaction, 1000),))


def base(id_: str, taken_s: float, lineage: str = "", transaction: int = 0) -> Base:
    manifest = Manifest(
        stack="dev",
        taken_s=taken_s,
        package_version="0.1.0",
        chroma_version="1.5.9",
        schema={},
        collections=(),
        log_rows=0,
        newest_row=0,
        rows_to_apply=0,
        left_out=(),
        files=(),
        archive=Position(lineage, transaction) if lineage else None,
        copy_s=0.1,
        hash_s=0.1,
        id=id_,
    )
    return Base(id_, taken_s, manifest)


def chosen(wanted: Wanted, points: list[Point], bases: list[Base]) -> list[tuple[str, str]]:
    found = candidates(wanted, points, bases)
    return [(each.point.lineage if each.point else "", each.base.id if each.base else "") for each in found]


@pytest.mark.parametrize(
    ("text", "moment_s"),
    [
        ("2027-01-31T12:00:00Z", NOON_S),
        ("2027-01-31T13:00+01:00", NOON_S),
        ("2027-01-31T12:00:00.250Z", NOON_S + 0.25),
    ],
)
def test_a_moment_has_its_zone(text: str, moment_s: float) -> None:
    assert read(text) == Wanted(moment_s=moment_s)


def test_latest_and_a_base_are_words_of_their_own() -> None:
    assert read("latest") == Wanted()
    assert read("0123abcd") == Wanted(base="0123abcd")
    assert (str(read("latest")), str(read("0123abcd"))) == ("latest", "base 0123abcd")
    assert in_words(NOON_S + 0.25) == "2027-01-31T12:00:00.250Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2027-01-31T12:00:00", "2027-01-31", "0123abc", "0123ABCD"])
def test_what_cannot_be_meant_is_answered_with_what_can(text: str) -> None:
    with pytest.raises(ValueError, match="neither latest, nor a time with its zone"):
        read(text)


def test_the_archive_comes_first_with_the_newest_base_of_its_history_that_it_reaches() -> None:
    bases = [base("old", 100, "a", 10), base("new", 200, "a", 20), base("beyond", 300, "a", 40)]
    assert chosen(Wanted(), [point("a", 30, 250)], bases) == [
        # A base that was taken after the archive had stopped has more.
        ("", "beyond"),
        ("a", "new"),
        ("a", ""),
        ("", "new"),
        ("", "old"),
    ]


def test_an_archive_where_nothing_was_written_since_the_base_is_no_older_than_it() -> None:
    bases = [base("new", 300, "a", 30)]
    assert chosen(Wanted(), [point("a", 30, 250)], bases)[0] == ("a", "new")


def test_a_base_of_another_history_is_no_help_but_may_be_restored_itself() -> None:
    bases = [base("other", 100, "b", 5), base("none", 150)]
    assert chosen(Wanted(), [point("a", 30, 250)], bases) == [("a", ""), ("", "none"), ("", "other")]


def test_older_lineages_follow_by_what_they_reach() -> None:
    found = chosen(Wanted(), [point("b", 3, 500), point("a", 30, 250)], [base("one", 300, "a", 20)])
    assert found == [("b", ""), ("a", "one"), ("a", ""), ("", "one")]


def test_nothing_later_than_the_moment_is_used() -> None:
    bases = [base("early", 100, "a", 10), base("late", 400, "a", 10)]
    found = chosen(Wanted(moment_s=300), [point("a", 30, 250)], bases)
    assert ("", "late") not in found
    assert found[0] == ("a", "early")


def test_a_base_that_is_asked_for_is_the_only_one() -> None:
    bases = [base("0123abcd99", 100, "a", 10), base("ffffffff00", 400, "a", 10)]
    assert chosen(Wanted(base="0123abcd"), [], bases) == [("", "0123abcd99")]
    assert chosen(Wanted(base="11111111"), [], bases) == []
