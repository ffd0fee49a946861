"""The check behind the kills can fail: each kind of damage, made in a store that is only pretended."""

from __future__ import annotations

import numpy as np
import pytest

from tests.recovery.check import check
from tests.recovery.clients import NotServed, Stored
from tests.recovery.journal import Journal, Kind, Operation
from tests.recovery.rows import DIMENSIONS, row_id, text_of, vectors_of
from tests.recovery.workload import send


class Pretended:
    """A client that is its own store."""

    def __init__(self):
        self.rows = {}
        self.down = False

    def create(self, name, *_):
        self.rows[name] = {}

    def drop(self, name):
        del self.rows[name]

    def write(self, name, ids, vectors, texts):
        for at, each in enumerate(ids):
            text = self.rows[name][each][1] if texts is None else texts[at]
            self.rows[name][each] = (vectors[at], text)

    def delete(self, name, ids):
        for each in ids:
            del self.rows[name][each]

    def names(self):
        return set(self.rows)

    def count(self, name):
        if self.down:
            raise NotServed("down")
        return len(self.rows[name])

    def read(self, name):
        rows = self.rows[name]
        vectors = np.array([each[0] for each in rows.values()], dtype=np.float32).reshape(len(rows), DIMENSIONS)
        return Stored(list(rows), [each[1] for each in rows.values()], vectors)

    def nearest(self, _name, _vector, k):
        return k

    def close(self):
        """Nothing is open."""


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.jsonl") as made:
        yield made


@pytest.fixture
def client(journal):
    made = Pretended()
    ask(made, journal, Operation("w", Kind.CREATE, "one"))
    ask(made, journal, Operation("w", Kind.UPSERT, "one", (1, 2, 3, 4), 1))
    ask(made, journal, Operation("w", Kind.UPDATE, "one", (2,), 2))
    ask(made, journal, Operation("w", Kind.DELETE, "one", (4,), 3))
    return made


def ask(client, journal, operation):
    journal.begin(operation)
    send(client, operation, "l2")
    journal.acknowledge(operation)


def outcome(client, journal):
    found = check(client, journal)
    return {"broken": found.broken, "lost": found.lost, "wrong": found.wrong, "extra": found.extra}


CLEAN = {"broken": 0, "lost": 0, "wrong": 0, "extra": 0}


def test_everything_as_acknowledged_is_clean(client, journal):
    found = check(client, journal)
    assert found.is_clean
    assert found.rows == 3
    assert '"kind": "delete", "collection": "one", "rows": [[4, 4]]' in (journal.path.read_text())


def test_lost_row(client, journal):
    del client.rows["one"][row_id(1)]
    assert outcome(client, journal) == {**CLEAN, "lost": 1}


def test_lost_collection_counts_its_rows(client, journal):
    del client.rows["one"]
    assert outcome(client, journal) == {**CLEAN, "lost": 3}


def test_vector_of_an_older_version(client, journal):
    client.rows["one"][row_id(2)] = (vectors_of([2], [1])[0], text_of(2, 1))
    assert outcome(client, journal) == {**CLEAN, "wrong": 1}


def test_text_of_another_row(client, journal):
    vector, _ = client.rows["one"][row_id(3)]
    client.rows["one"][row_id(3)] = (vector, text_of(1, 1))
    assert outcome(client, journal) == {**CLEAN, "wrong": 1}


def test_deleted_row_that_is_back(client, journal):
    client.rows["one"][row_id(4)] = (vectors_of([4], [1])[0], text_of(4, 1))
    assert outcome(client, journal) == {**CLEAN, "extra": 1}


def test_collection_nobody_made(client, journal):
    client.rows["two"] = {}
    assert outcome(client, journal) == {**CLEAN, "extra": 1}


def test_collection_that_does_not_answer(client, journal):
    client.down = True
    assert outcome(client, journal) == {**CLEAN, "broken": 1}


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize(
    "operation",
    [
        Operation("w", Kind.UPSERT, "one", (3, 5, 6), 9),
        Operation("w", Kind.UPDATE, "one", (1, 3), 9),
        Operation("w", Kind.DELETE, "one", (1, 3), 9),
        Operation("w", Kind.CREATE, "two"),
        Operation("w", Kind.DROP, "one"),
    ],
    ids=lambda each: str(each.kind),
)
def test_operation_without_an_answer_may_be_done_or_not(client, journal, operation, done):
    journal.begin(operation)
    if done:
        send(client, operation, "l2")
    assert outcome(client, journal) == CLEAN
    assert not journal.pending
    assert outcome(client, journal) == CLEAN, "what was settled counts from then on"


def test_operation_done_by_halves(client, journal):
    journal.begin(Operation("w", Kind.UPSERT, "one", (5, 6), 9))
    send(client, Operation("w", Kind.UPSERT, "one", (5,), 9), "l2")
    assert outcome(client, journal) == {**CLEAN, "lost": 1}


def test_cosine_keeps_direction_and_length_apart(client, journal):
    journal.begin(Operation("w", Kind.CREATE, "round"), "cosine")
    client.create("round", "cosine", DIMENSIONS)
    journal.acknowledge(Operation("w", Kind.CREATE, "round"))
    ask(client, journal, Operation("w", Kind.UPSERT, "round", (1,), 1))
    vector, text = client.rows["round"][row_id(1)]
    length = np.linalg.norm(vector)
    client.rows["round"][row_id(1)] = ((vector / length) * length, text)
    assert outcome(client, journal) == CLEAN
    client.rows["round"][row_id(1)] = (vector / length, text)
    assert outcome(client, journal) == {**CLEAN, "wrong": 1}
