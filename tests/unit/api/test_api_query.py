from __future__ import annotations

import pytest

STORES = ("embedded", "remote")


@pytest.fixture(scope="module")
def path(api):
    path = api.collection()
    documents = [
        {"id": "fox", "text": "quick brown fox", "metadata": {"kind": "animal", "n": 1}},
        {"id": "dog", "text": "lazy dog", "metadata": {"kind": "animal", "n": 2}},
        {"id": "db", "text": "relational database", "metadata": {"kind": "program", "n": 3}},
    ]
    assert api.writer.post(f"{path}/documents", json={"documents": documents}).status_code == 200
    return path


def ids(answer, row=0):
    return [each["id"] for each in answer.json()["results"][row]["matches"]]


def test_text_finds_itself_first(api, path):
    answer = api.reader.post(f"{path}/query", json={"texts": ["lazy dog", "quick brown fox"], "k": 2})
    assert ids(answer, 0)[0] == "dog"
    assert ids(answer, 1)[0] == "fox"
    first = answer.json()["results"][0]["matches"][0]
    assert first["distance"] == pytest.approx(0, abs=1e-6)
    assert first["text"] == "lazy dog"
    assert first["metadata"] == {"kind": "animal", "n": 2}


def test_vector_and_text_agree(api, path):
    vector = api.runtime.embedder.embed(["lazy dog"]).vectors[0].tolist()
    by_vector = api.reader.post(f"{path}/query", json={"vectors": [vector], "k": 3})
    by_text = api.reader.post(f"{path}/query", json={"texts": ["lazy dog"], "k": 3})
    assert ids(by_vector) == ids(by_text)


def test_filters_restrict(api, path):
    asked = {"texts": ["lazy dog"], "k": 3}
    assert set(ids(api.reader.post(f"{path}/query", json={**asked, "where": {"kind": "program"}}))) == {"db"}
    assert ids(api.reader.post(f"{path}/query", json={**asked, "where_document": {"$contains": "fox"}})) == ["fox"]
    assert set(ids(api.reader.post(f"{path}/query", json={**asked, "ids": ["fox", "db"]}))) == {"fox", "db"}


def test_include_chooses_what_is_sent(api, path):
    answer = api.reader.post(f"{path}/query", json={"texts": ["dog"], "k": 1, "include": []})
    assert answer.json()["results"][0]["matches"] == [{"id": ids(answer)[0]}]
    answer = api.reader.post(f"{path}/query", json={"texts": ["dog"], "k": 1, "include": ["vector"]})
    assert len(answer.json()["results"][0]["matches"][0]["vector"]) == 8


def test_empty_collection_has_no_matches(api):
    path = api.collection()
    assert api.reader.post(f"{path}/query", json={"texts": ["x"]}).json()["results"] == [{"matches": []}]


def test_k_beyond_the_records_gives_all(api, path):
    assert len(ids(api.reader.post(f"{path}/query", json={"texts": ["x"], "k": 20}))) == 3


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body"),
        ({"texts": ["a"], "vectors": [[1] * 8]}, "body"),
        ({"texts": []}, "body.texts"),
        ({"texts": [""]}, "body.texts[0]"),
        ({"texts": ["a"], "k": 0}, "body.k"),
        ({"texts": ["a"], "k": 51}, "body.k"),
        ({"texts": ["a"] * 101, "k": 1}, "body.texts"),
        ({"texts": ["a"] * 3, "k": 10}, "body.k"),
        ({"texts": ["x" * 201]}, "body.texts[0]"),
        ({"vectors": [[1, 2]]}, "body.vectors[0]"),
        ({"texts": ["a"], "include": ["uris"]}, "body.include[0]"),
        ({"texts": ["a"], "where": "x"}, "body.where"),
    ],
)
def test_bad_query_is_refused_with_the_place(api, path, body, place):
    answer = api.reader.post(f"{path}/query", json=body)
    assert answer.status_code == 422, answer.text
    assert place in [error["where"] for error in answer.json()["errors"]]


def test_overlong_query_is_named_or_refused(api, path):
    asked = {"texts": ["short", "w " * 30], "k": 1}
    assert api.reader.post(f"{path}/query", json=asked).json()["truncated"] == [1]
    refused = api.reader.post(f"{path}/query", json={**asked, "on_overlong": "reject"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["where"] == "body.texts[1]"


@pytest.mark.parametrize("where", [{"n": {"$near": 1}}, {"$or": [{"a": 1}]}])
def test_filter_that_chroma_does_not_know_is_a_422(api, path, where):
    assert api.reader.post(f"{path}/query", json={"texts": ["a"], "where": where}).status_code == 422


def test_another_model_is_refused_but_its_records_can_be_read_and_removed(make_api, new_place, fake_embedder):
    place = new_place()
    before = make_api(place, fake_embedder("a" * 64))
    path = before.collection()
    before.writer.post(f"{path}/documents", json={"documents": [{"id": "a", "text": "t"}]})
    before.close()
    after = make_api(place, fake_embedder("b" * 64))
    for answer in (
        after.reader.post(f"{path}/query", json={"texts": ["t"]}),
        after.reader.post(f"{path}/query", json={"vectors": [[1] * 8]}),
        after.writer.post(f"{path}/documents", json={"documents": [{"id": "b", "text": "t"}]}),
        after.writer.post(f"{path}/documents/stream", content=b"{}", headers={"Content-Type": "application/x-ndjson"}),
    ):
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:cortex:problem:model-mismatch"
        assert "aaaaaaaaaaaa" in answer.json()["detail"]
        assert "bbbbbbbbbbbb" in answer.json()["detail"]
    assert after.reader.get(path).json()["usable"] is False
    assert after.reader.get(f"{path}/documents").json()["documents"][0]["text"] == "t"
    assert after.writer.post(f"{path}/documents/delete", json={"ids": ["a"]}).json() == {"deleted": 1}
