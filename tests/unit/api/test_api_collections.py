from __future__ import annotations

import pytest

STORES = ("embedded", "remote")


def places(answer):
    return [error["where"] for error in answer.json()["errors"]]


def test_created_collection_records_the_model(api):
    name = api.collection(metadata={"owner": "me"}).rsplit("/", 1)[1]
    seen = api.reader.get(f"/v1/collections/{name}").json()
    assert seen["embedding"] == "model"
    assert seen["model"]["name"] == "fake"
    assert seen["model"]["sha256"] == "f" * 64
    assert seen["dimensions"] == 8
    assert seen["space"] == "cosine"
    assert seen["metadata"] == {"owner": "me"}, "reserved keys are not shown"
    assert seen["usable"] is True


def test_create_answers_where_it_is(api):
    answer = api.admin.post("/v1/collections", json={"name": "located"})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/collections/located"


@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
def test_space_is_chosen(api, space):
    assert api.reader.get(api.collection(space=space)).json()["space"] == space


def test_own_vectors_take_their_dimensions(api):
    seen = api.reader.get(api.collection(embedding="own", dimensions=3)).json()
    assert (seen["embedding"], seen["dimensions"], seen["model"]) == ("own", 3, None)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": "ab"}, "body.name"),
        ({"name": "-abc"}, "body.name"),
        ({"name": "a b c"}, "body.name"),
        ({"name": "x" * 513}, "body.name"),
        ({"name": "abc", "space": "manhattan"}, "body.space"),
        ({"name": "abc", "metadata": {"cortex:model": "x"}}, "body.metadata"),
        ({"name": "abc", "metadata": {"hnsw:space": "l2"}}, "body.metadata"),
        ({"name": "abc", "metadata": {"a": {"b": 1}}}, "body.metadata"),
        ({"name": "abc", "dimensions": 9}, "body.dimensions"),
        ({"name": "abc", "unknown": 1}, "body.unknown"),
        ({}, "body.name"),
    ],
)
def test_bad_collection_is_refused_with_the_place(api, body, place):
    answer = api.admin.post("/v1/collections", json=body)
    assert answer.status_code == 422
    assert place in places(answer)


def test_every_wrong_field_is_listed(api):
    answer = api.admin.post("/v1/collections", json={"name": "?", "space": "x", "dimensions": 0})
    assert set(places(answer)) == {"body.name", "body.space", "body.dimensions"}


def test_second_of_the_same_name_conflicts(api):
    name = api.collection().rsplit("/", 1)[1]
    answer = api.admin.post("/v1/collections", json={"name": name})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:cortex:problem:collection-exists"


def test_deleted_collection_is_gone(api):
    path = api.collection()
    assert api.admin.delete(path).status_code == 204
    assert api.reader.get(path).status_code == 404
    assert api.admin.delete(path).status_code == 404


def test_list_pages_through_all_and_hides_the_canary(make_api):
    api = make_api()
    names = [api.collection(embedding="own", dimensions=2).rsplit("/", 1)[1] for _ in range(3)]
    first = api.reader.get("/v1/collections", params={"limit": 2}).json()
    rest = api.reader.get("/v1/collections", params={"limit": 2, "offset": 2}).json()
    assert [each["name"] for each in first["collections"] + rest["collections"]] == names
    assert first["total"] == 3


def test_limit_of_collections_leaves_the_canary_out(make_api):
    api = make_api(max_collections=2)
    api.collection()
    api.collection()
    answer = api.admin.post("/v1/collections", json={"name": "one-too-many"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:cortex:problem:too-many-collections"
    assert "CORTEX_MAX_COLLECTIONS" in answer.json()["detail"]


def test_without_weights_collections_take_own_vectors_only(make_api):
    api = make_api()
    seen = api.reader.get(api.collection()).json()
    assert (seen["embedding"], seen["dimensions"]) == ("own", 8)
    answer = api.admin.post("/v1/collections", json={"name": "abc", "embedding": "model"})
    assert answer.status_code == 422
    assert places(answer) == ["body.embedding"]
    assert api.reader.get("/v1/status").json()["model"]["embeds_texts"] is False


def test_chroma_never_gets_an_embedding_function(api):
    path = api.collection()
    handle = api.runtime.storage._handle(path.rsplit("/", 1)[1])
    assert handle._embedding_function is None
