from __future__ import annotations

import json

import numpy as np
import pytest

STORES = ("embedded", "remote")


def places(answer):
    return [error["where"] for error in answer.json()["errors"]]


def put(client, path, *documents, **more):
    return client.post(f"{path}/documents", json={"documents": list(documents), **more})


def get(client, path, **body):
    return client.post(f"{path}/documents/get", json=body).json()["documents"]


def test_upsert_in_several_batches_keeps_every_row(api):
    path = api.collection()
    answer = put(api.writer, path, *({"id": str(i), "text": f"text {i}", "metadata": {"n": i}} for i in range(10)))
    assert answer.json() == {"upserted": 10, "truncated": []}
    assert api.runtime.embedder.batches[-4:] == [3, 3, 3, 1], "split by CORTEX_MAX_BATCH_ROWS"
    assert api.reader.get(f"{path}/count").json() == {"count": 10}
    assert [each["metadata"]["n"] for each in get(api.reader, path, limit=20)] == list(range(10))


def test_batches_never_exceed_what_chroma_takes(make_api):
    api = make_api(max_batch_rows=100_000, max_request_rows=6_000)
    assert api.runtime.storage.max_batch_rows == 5461
    path = api.collection(dimensions=2)
    rows = [{"id": str(i), "vector": [i, 1]} for i in range(5_500)]
    assert put(api.writer, path, *rows).json()["upserted"] == 5_500
    assert api.reader.get(f"{path}/count").json() == {"count": 5_500}


def test_upsert_twice_changes_instead_of_adding(api):
    path = api.collection()
    put(api.writer, path, {"id": "a", "text": "first", "metadata": {"x": 1, "y": 2}})
    put(api.writer, path, {"id": "a", "text": "second", "metadata": {"x": 5, "y": None}})
    assert get(api.reader, path) == [{"id": "a", "text": "second", "metadata": {"x": 5}}]


def test_own_vector_is_kept_exactly_and_text_stored(api):
    path = api.collection()
    vector = np.linspace(0.1, 0.8, 8, dtype=np.float32).tolist()
    put(api.writer, path, {"id": "v", "vector": vector, "text": "with text"}, {"id": "t", "text": "only text"})
    (first, second) = get(api.reader, path, include=["vector", "text"])
    assert first["text"] == "with text"
    assert first["vector"] == pytest.approx(vector)
    assert np.linalg.norm(second["vector"]) == pytest.approx(1)


def test_metadata_of_every_kind_reads_back(api):
    path = api.collection()
    metadata = {"s": "x", "i": 3, "f": 0.5, "b": True, "l": ["a", "b"]}
    put(api.writer, path, {"id": "a", "text": "t", "metadata": metadata})
    assert get(api.reader, path)[0]["metadata"] == metadata


def test_get_by_ids_filter_and_page(api):
    path = api.collection()
    put(api.writer, path, *({"id": str(i), "text": f"word{i}", "metadata": {"n": i}} for i in range(6)))
    assert {each["id"] for each in get(api.reader, path, ids=["1", "4", "none"])} == {"1", "4"}
    assert {each["id"] for each in get(api.reader, path, where={"n": {"$gte": 4}})} == {"4", "5"}
    assert {each["id"] for each in get(api.reader, path, where_document={"$contains": "word3"})} == {"3"}
    pages = [get(api.reader, path, limit=4, offset=offset) for offset in (0, 4)]
    assert [each["id"] for page in pages for each in page] == [str(i) for i in range(6)]
    listed = api.reader.get(f"{path}/documents", params={"id": ["1", "2"], "include": "text"}).json()
    assert listed["documents"] == [{"id": "1", "text": "word1"}, {"id": "2", "text": "word2"}]


def test_delete_counts_what_was_there(api):
    path = api.collection()
    put(api.writer, path, *({"id": str(i), "text": "t", "metadata": {"n": i}} for i in range(6)))
    delete = f"{path}/documents/delete"
    assert api.writer.post(delete, json={"ids": ["0", "none"]}).json() == {"deleted": 1}
    assert api.writer.post(delete, json={"where": {"n": {"$lt": 3}}}).json() == {"deleted": 2}
    assert api.reader.get(f"{path}/count").json() == {"count": 3}


def test_delete_without_a_choice_is_refused(api):
    path = api.collection()
    assert api.writer.post(f"{path}/documents/delete", json={}).status_code == 422
    assert api.writer.post(f"{path}/documents/delete", json={"where": {}}).status_code == 422


@pytest.mark.parametrize(
    ("documents", "place"),
    [
        ([{"id": "a"}], "body.documents[0]"),
        ([{"id": "a", "text": "  "}], "body.documents[0].text"),
        ([{"id": "", "text": "t"}], "body.documents[0].id"),
        ([{"text": "t"}], "body.documents[0].id"),
        ([{"id": "a", "text": "t"}, {"id": "a", "text": "u"}], "body.documents[1].id"),
        ([{"id": "a", "vector": [1, 2]}], "body.documents[0].vector"),
        ([{"id": "a", "vector": [1e39] + [0] * 7}], "body.documents[0].vector"),
        ([{"id": "a", "vector": ["x"] + [0] * 7}], "body.documents[0].vector[0]"),
        ([{"id": "a", "text": "x" * 201}], "body.documents[0].text"),
        ([{"id": "a", "text": "t", "metadata": {"k": {"deep": 1}}}], "body.documents[0].metadata"),
        ([{"id": "a", "text": "t", "metadata": {"k": 1 << 63}}], "body.documents[0].metadata"),
        ([{"id": "a", "text": "t", "metadata": {"k": [1, "x"]}}], "body.documents[0].metadata"),
        ([{"id": "a", "text": "t", "metadata": {"chroma:document": "x"}}], "body.documents[0].metadata"),
        ([{"id": "a", "text": "half \ud800"}], "body.documents[0].text"),
        ([{"id": "\ud800", "text": "t"}], "body.documents[0].id"),
        ([{"id": "a", "text": "t", "metadata": {"k": "\ud800"}}], "body.documents[0].metadata"),
        ([{"id": "a", "text": "t", "metadata": {"\ud800": 1}}], "body.documents[0].metadata"),
        ([{"id": str(i), "text": "t"} for i in range(21)], "body.documents"),
        ([], "body.documents"),
    ],
)
def test_bad_rows_are_refused_with_the_place_and_nothing_is_written(api, documents, place):
    path = api.collection()
    body = json.dumps({"documents": documents})
    headers = {"Content-Type": "application/json"}
    answer = api.writer.post(f"{path}/documents", content=body, headers=headers)
    assert answer.status_code == 422
    assert place in places(answer)
    assert api.reader.get(f"{path}/count").json() == {"count": 0}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_refused(api, number):
    path = api.collection()
    body = f'{{"documents": [{{"id": "a", "vector": [{number},0,0,0,0,0,0,0]}}]}}'
    answer = api.writer.post(f"{path}/documents", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert places(answer) == ["body.documents[0].vector[0]"]


def test_all_bad_rows_are_named_at_once(api):
    path = api.collection()
    answer = put(api.writer, path, {"id": "a"}, {"id": "b", "text": "good"}, {"id": "c", "vector": [1]})
    assert places(answer) == ["body.documents[0]", "body.documents[2].vector"]


def test_overlong_text_is_indexed_and_named(api):
    path = api.collection()
    answer = put(api.writer, path, {"id": "long", "text": "w " * 30}, {"id": "short", "text": "w"})
    assert answer.json() == {"upserted": 2, "truncated": ["long"]}
    assert api.reader.get(f"{path}/count").json() == {"count": 2}


def test_overlong_text_is_refused_on_request_before_anything_is_written(api):
    path = api.collection()
    rows = [{"id": str(i), "text": "fine"} for i in range(5)] + [{"id": "long", "text": "w " * 30}]
    answer = put(api.writer, path, *rows, on_overlong="reject")
    assert answer.status_code == 422
    assert places(answer) == ["body.documents[5].text"]
    assert api.reader.get(f"{path}/count").json() == {"count": 0}


def test_text_without_vector_needs_a_model(api):
    path = api.collection(embedding="own")
    answer = put(api.writer, path, {"id": "a", "text": "t"})
    assert answer.status_code == 422
    assert places(answer) == ["body.documents[0].vector"]


def test_pages_are_bounded(api):
    path = api.collection()
    answer = api.reader.post(f"{path}/documents/get", json={"limit": 1_001})
    assert answer.status_code == 422
    assert "CORTEX_MAX_PAGE_ROWS" in answer.json()["detail"]
    assert api.reader.get(f"{path}/documents", params={"offset": (1 << 63) - 1}).status_code == 422


@pytest.mark.parametrize("where", [{"n": {"$near": 1}}, {"$and": []}, {"n": {"$in": []}}, {"n": []}])
def test_filter_that_chroma_does_not_know_is_a_422(api, where):
    path = api.collection()
    assert api.reader.post(f"{path}/documents/get", json={"where": where}).status_code == 422
    assert api.writer.post(f"{path}/documents/delete", json={"where": where}).status_code == 422


def test_ids_of_any_text_work(api):
    path = api.collection()
    ids = ["a/b?c", "ünïcode 😀", "x" * 512, "' OR 1=1 --"]
    put(api.writer, path, *({"id": each, "text": "t"} for each in ids))
    assert [each["id"] for each in get(api.reader, path)] == ids
    assert len(get(api.reader, path, ids=ids)) == 4
