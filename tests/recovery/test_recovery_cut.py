"""The judge of what a disaster lost can tell: a state of the past, by which moment, and what is no such state."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from tests.bench.recovery_cut import TimedJournal, cut_of
from tests.recovery.journal import Kind, Operation
from tests.recovery.test_torture_check import Pretended, ask

ROWS = 10


@pytest.fixture
def journal(tmp_path):
    with TimedJournal(tmp_path / "journal.jsonl") as made:
        yield made


@pytest.fixture
def states(journal):
    """The store after each of some writes by two workers, whose acknowledgements are a second apart."""
    store, found = Pretended(), []
    ask(store, journal, Operation("one", Kind.CREATE, "c"))
    for number in range(8):
        rows = tuple(range(ROWS * number, ROWS * (number + 1)))
        ask(store, journal, Operation("two" if number % 2 else "one", Kind.UPSERT, "c", rows, number + 1))
        found.append(copy.deepcopy(store))
    ask(store, journal, Operation("one", Kind.DELETE, "c", (0, 1), 9))
    found.append(store)
    journal.answered = [replace(each, at_s=float(number)) for number, each in enumerate(journal.answered)]
    return found


@pytest.mark.parametrize("lost", [0, 1, 2, 5])
def test_the_newest_state_that_fits_is_found(journal, states, lost):
    cut = cut_of(journal, states[-1 - lost])
    assert cut.found.is_clean
    assert cut.rpo_s == lost
    assert cut.lost_rows == (0 if not lost else 2 + ROWS * (lost - 1))


def test_a_write_may_be_logged_before_one_that_was_acknowledged_earlier(journal, states):
    behind, ahead = states[-4], states[-3]
    newer = {row: value for row, value in states[-2].rows["c"].items() if row not in ahead.rows["c"]}
    behind.rows["c"].update(newer)
    cut = cut_of(journal, behind)
    assert cut.found.is_clean
    assert (cut.rpo_s, cut.lost_rows) == (1, ROWS + 2)


def test_a_hole_before_the_newest_is_not_taken_for_a_loss(journal, states):
    del states[-1].rows["c"]["row-0000015"]
    cut = cut_of(journal, states[-1])
    assert (cut.rpo_s, cut.found.lost) == (0, 1)


def test_another_content_is_told(journal, states):
    vector, text = states[-2].rows["c"]["row-0000015"]
    states[-2].rows["c"]["row-0000015"] = (vector + 1.0, text)
    cut = cut_of(journal, states[-2])
    assert (cut.rpo_s, cut.found.wrong) == (1, 1)
