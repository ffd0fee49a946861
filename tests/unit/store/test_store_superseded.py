"""Which log rows nothing needs: against an independent fold, on histories of every kind."""

import json
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from store.supersession import Row, changes


@dataclass(frozen=True)
class Write:
    operation: int
    vector: int | None
    metadata: dict[str, int | None]


def folded(log: list[tuple[int, Write]], known: tuple[int, dict[str, int]] | None = None) -> object:
    """What Chroma makes of an id's rows: vector and metadata of the record, or None."""
    record = known
    for _, write in log:
        exists = record is not None
        if write.operation == 3:
            record = None
        elif (write.operation == 0 and not exists) or (write.operation == 1 and exists) or write.operation == 2:
            before, kept = record or (None, {})
            merged = {key: value for key, value in {**kept, **write.metadata}.items() if value is not None}
            record = (before if write.vector is None else write.vector, merged)  # type: ignore[assignment]
    return record


metadata = st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 9)), max_size=2)
setting = st.builds(Write, st.sampled_from([0, 1, 2]), st.integers(0, 99), metadata)
histories = st.lists(
    st.one_of(setting, st.builds(Write, st.just(1), st.none(), metadata), st.just(Write(3, None, {}))), max_size=9
)


def compacted(log: list[tuple[int, Write]], settled: int, newest: int) -> list[tuple[int, Write]]:
    texts = {number: json.dumps(write.metadata) for number, write in log}
    done = changes(
        (Row(number, write.operation, write.vector is not None, bool(write.metadata)) for number, write in log),
        texts.__getitem__,
        settled=settled,
        newest=newest,
    )
    rewritten = {each.seq_id: each for each in done.rewritten}
    assert not set(done.dropped) & set(rewritten)
    assert len(set(done.dropped)) == len(done.dropped)
    kept = []
    for number, write in log:
        if number in rewritten:
            new = rewritten[number]
            said = write.metadata if new.metadata is None else json.loads(new.metadata)
            kept.append((number, Write(int(new.operation), write.vector, said)))
        elif number not in done.dropped:
            kept.append((number, write))
    return kept


@given(histories, st.integers(0, 9), st.booleans())
def test_what_stays_says_the_same(history: list[Write], settled: int, last_is_newest: bool) -> None:
    log = list(enumerate(history, start=1))
    newest = len(log) if last_is_newest else 99
    kept = compacted(log, settled, newest)
    assert folded(kept) == folded(log)
    assert [row for row in kept if row[0] > settled] == [row for row in log if row[0] > settled]
    assert not last_is_newest or not log or kept[-1][0] == len(log)
    assert len([row for row in kept if row[0] <= settled]) <= 3
    assert compacted(kept, settled, newest) == kept, "a second time finds more"


@given(histories, st.integers(0, 9), st.integers(0, 9))
def test_an_index_of_any_age_since_what_is_settled_is_brought_up_to_date_alike(
    history: list[Write], settled: int, saved: int
) -> None:
    log = list(enumerate(history, start=1))
    saved = max(saved, settled)
    index = folded([row for row in log if row[0] <= saved])
    kept = compacted(log, settled, len(log))

    def vector(record: object) -> object:
        return record and record[0]  # type: ignore[index]

    assert vector(folded([row for row in kept if row[0] > saved], index)) == vector(folded(log))  # type: ignore[arg-type]


@given(histories)
def test_an_older_index_without_deleted_records_gets_every_vector_too(history: list[Write]) -> None:
    log = list(enumerate(history, start=1))
    kept = compacted(log, len(log), len(log))
    end = folded(log)
    for saved in range(len(log) + 1):
        index = folded(log[:saved])
        if index is not None and end is None:
            continue  # its delete may be gone: `assemble` does not take such an index
        made = folded([row for row in kept if row[0] > saved], index)  # type: ignore[arg-type]
        assert (made and made[0]) == (end and end[0])  # type: ignore[index]


def test_rows_that_cannot_be_understood_stop_it() -> None:
    rows = [Row(1, 2, True, False), Row(2, 2, True, False), Row(3, 2, False, False), Row(4, 2, True, False)]
    assert changes(rows, str, settled=9, newest=4).dropped == [1]
    assert changes([Row(1, 7, True, False), Row(2, 2, True, False)], str, settled=9, newest=4).dropped == []


def test_metadata_is_not_read_where_there_is_none() -> None:
    def read(_: int) -> str:
        raise AssertionError("read")

    rows = [Row(number, 2, True, False) for number in range(1, 5)]
    assert changes(rows, read, settled=9, newest=4).dropped == [1, 2, 3]
