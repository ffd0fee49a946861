from __future__ import annotations

import json

import pytest
from cortex_api.ndjson import Chunker, LineTooLong
from cortex_api.storage import DiskFull

STORES = ("embedded", "remote")
NDJSON = {"Content-Type": "application/x-ndjson"}


def lines(*documents):
    return b"".join(json.dumps(each).encode() + b"\n" for each in documents)


def stream(client, path, content, **parameters):
    answer = client.post(f"{path}/documents/stream", content=content, headers=NDJSON, params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


def count(api, path):
    return api.reader.get(f"{path}/count").json()["count"]


def test_stream_commits_chunk_by_chunk(api):
    path = api.collection()
    (done,) = stream(api.writer, path, lines(*({"id": str(i), "text": f"t{i}"} for i in range(10))))
    assert done == {"event": "done", "upserted": 10, "failed": 0, "truncated": 0, "committed_line": 10}
    assert api.runtime.embedder.batches[-4:] == [3, 3, 3, 1]
    assert count(api, path) == 10


def test_body_may_come_in_any_pieces_without_a_length(api):
    path = api.collection()
    whole = lines({"id": "ä", "text": "grüße"}, {"id": "b", "text": "x"}).rstrip(b"\n")
    (done,) = stream(api.writer, path, (whole[i : i + 1] for i in range(len(whole))))
    assert done["upserted"] == 2
    assert api.reader.get(f"{path}/documents").json()["documents"][0]["text"] == "grüße"


def test_wrong_line_is_named_and_what_came_before_is_kept(api):
    path = api.collection()
    good = [{"id": str(i), "text": "t"} for i in range(4)]
    failed, aborted = stream(api.writer, path, lines(*good, {"id": "x"}, {"id": "later", "text": "t"}))
    assert (failed["event"], failed["line"]) == ("failed", 5)
    assert failed["errors"][0]["message"] == "has neither text nor vector"
    assert (aborted["event"], aborted["line"], aborted["committed_line"]) == ("aborted", 5, 4)
    assert count(api, path) == 4


def test_wrong_lines_can_be_skipped(api):
    path = api.collection()
    content = (
        lines({"id": "a", "text": "t"}) + b"{not json\n\n" + lines({"id": "b", "vector": [1]}, {"id": "c", "text": "t"})
    )
    *failed, done = stream(api.writer, path, content, on_error="skip")
    assert [each["line"] for each in failed] == [2, 4]
    assert failed[1]["errors"][0]["where"] == "line.vector"
    assert (done["event"], done["upserted"], done["failed"], done["committed_line"]) == ("done", 2, 2, 5)
    assert count(api, path) == 2


def test_id_twice_in_a_chunk_keeps_the_later_line(api):
    path = api.collection()
    stream(api.writer, path, lines({"id": "a", "text": "old"}, {"id": "a", "text": "new"}))
    assert api.reader.get(f"{path}/documents").json()["documents"] == [{"id": "a", "text": "new", "metadata": {}}]


def test_overlong_texts_are_named(api):
    path = api.collection()
    named, done = stream(api.writer, path, lines({"id": "long", "text": "w " * 30}))
    assert named == {"event": "truncated", "ids": ["long"]}
    assert done["truncated"] == 1


def test_stream_may_be_larger_than_a_body_but_a_line_may_not(make_api, fake_embedder):
    api = make_api(embedder=fake_embedder(), max_body_bytes=4_096)
    path = api.collection()
    rows = [{"id": str(i), "text": "t", "metadata": {"pad": "x" * 500}} for i in range(40)]
    done = stream(api.writer, path, lines(*rows))[-1]  # a slow machine hears of progress before
    assert (done["event"], done["upserted"]) == ("done", 40)
    aborted = stream(api.writer, path, lines({"id": "a", "text": "t"}, {"id": "b", "text": "y" * 2_000}))[-1]
    assert (aborted["event"], aborted["slug"], aborted["line"]) == ("aborted", "line-too-long", 2)


def test_full_disk_ends_the_stream_with_the_line_to_go_on_from(api, monkeypatch):
    path = api.collection()
    original, calls = api.runtime.storage.upsert, []

    def upsert(name, rows):
        calls.append(rows)
        if len(calls) > 1:
            raise DiskFull("database or disk is full")
        original(name, rows)

    monkeypatch.setattr(api.runtime.storage, "upsert", upsert)
    aborted = stream(api.writer, path, lines(*({"id": str(i), "text": "t"} for i in range(7))))[-1]
    assert (aborted["slug"], aborted["committed_line"], aborted["line"]) == ("disk-full", 3, 4)


def test_fault_in_the_middle_ends_the_stream_without_its_inside(api, monkeypatch):
    path = api.collection()
    monkeypatch.setattr(api.runtime.storage, "upsert", lambda *_: 1 / 0)
    aborted = stream(api.writer, path, lines({"id": "a", "text": "t"}))[-1]
    assert aborted["slug"] == "internal-error"
    assert "zero" not in json.dumps(aborted)


def test_stopping_ends_the_stream_at_a_chunk(make_api, fake_embedder):
    api = make_api(embedder=fake_embedder(), max_batch_rows=2)
    path = api.collection()

    def body():
        yield lines({"id": "a", "text": "t"}, {"id": "b", "text": "t"})

    original = api.runtime.storage.upsert

    def upsert(name, rows):
        original(name, rows)
        api.runtime.begin_stop()

    api.runtime.storage.upsert = upsert
    aborted = stream(api.writer, path, lines(*({"id": str(i), "text": "t"} for i in range(6))))[-1]
    assert (aborted["slug"], aborted["committed_line"]) == ("stopping", 2)


@pytest.mark.parametrize("headers", [{"Content-Type": "application/json"}, {}, {**NDJSON, "Content-Encoding": "gzip"}])
def test_other_kinds_of_body_are_415(api, headers):
    answer = api.writer.post(f"{api.collection()}/documents/stream", content=b"{}", headers=headers)
    assert answer.status_code == 415


def test_stream_to_nowhere_is_404_before_the_body(api):
    assert api.writer.post("/v1/collections/none/documents/stream", content=b"", headers=NDJSON).status_code == 404


def test_chunks_are_bounded_by_rows_and_bytes():
    chunker = Chunker(max_rows=3, max_bytes=10)
    chunks = [*chunker.feed(b"a\nb\nc\nd\n12345678\nxyz\n"), *chunker.end()]
    assert [[line.data for line in chunk] for chunk in chunks] == [[b"a", b"b", b"c"], [b"d", b"12345678"], [b"xyz"]]
    assert [line.number for chunk in chunks for line in chunk] == [1, 2, 3, 4, 5, 6]


def test_endless_line_is_refused_before_it_is_kept():
    chunker = Chunker(max_rows=3, max_bytes=10)
    list(chunker.feed(b"ok\n123456"))
    with pytest.raises(LineTooLong, match="line 2"):
        list(chunker.feed(b"7890123"))
