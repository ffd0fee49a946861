from __future__ import annotations

import threading

import pytest
from cortex_api.chroma_errors import translated
from cortex_api.storage import ArgumentRefused, DiskFull, IndexFailed, StorageError, StoreBusy, StoreClosed

STORES = ("embedded", "remote")

PROBLEM = "application/problem+json"


def check(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert body["type"].startswith("urn:cortex:problem:")
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


def test_unknown_path_and_method_are_problems(api):
    assert "/docs" in check(api.admin.get("/v1/nope"), 404)["detail"]
    body = check(api.admin.patch("/v1/status"), 405)
    assert "GET" in body["detail"]


def test_unknown_collection_is_named(api):
    for answer in (
        api.admin.get("/v1/collections/none"),
        api.admin.get("/v1/collections/none/count"),
        api.admin.delete("/v1/collections/none"),
        api.admin.post("/v1/collections/none/documents", json={"documents": [{"id": "a", "text": "t"}]}),
        api.admin.post("/v1/collections/none/documents/get", json={}),
        api.admin.post("/v1/collections/none/documents/delete", json={"ids": ["a"]}),
        api.admin.post("/v1/collections/none/query", json={"texts": ["a"]}),
    ):
        assert "'none'" in check(answer, 404)["detail"]


def test_body_that_is_no_json_says_where(api):
    answer = api.admin.post("/v1/collections", content=b'{"name": ', headers={"Content-Type": "application/json"})
    body = check(answer, 422)
    assert body["errors"][0]["where"] == "body"
    assert "character 9" in body["errors"][0]["message"]


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (DiskFull("database or disk is full"), 507, "disk-full"),
        (StoreBusy("database is locked"), 503, "store-busy"),
        (StoreClosed("closing"), 503, "stopping"),
        (IndexFailed("hnsw"), 500, "index-failed"),
        (StorageError("odd"), 500, "internal-error"),
        (RuntimeError("secret inside"), 500, "internal-error"),
    ],
)
def test_failures_of_the_store_have_their_status_and_no_stack(api, monkeypatch, error, status, slug):
    path = api.collection()

    def fail(*_):
        raise error

    monkeypatch.setattr(api.runtime.storage, "count", fail)
    answer = api.admin.get(f"{path}/count")
    body = check(answer, status)
    assert body["type"].endswith(slug)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    if status == 503:
        assert int(answer.headers["retry-after"]) > 0


def test_failure_after_some_batches_says_how_far_it_came(api, monkeypatch):
    path = api.collection()
    original, calls = api.runtime.storage.upsert, []

    def upsert(name, rows):
        calls.append(rows)
        if len(calls) == 3:
            raise DiskFull("disk is full")
        original(name, rows)

    monkeypatch.setattr(api.runtime.storage, "upsert", upsert)
    documents = [{"id": str(i), "text": "t"} for i in range(8)]
    body = check(api.writer.post(f"{path}/documents", json={"documents": documents}), 507)
    assert body["committed_rows"] == 6
    assert api.reader.get(f"{path}/count").json() == {"count": 6}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("error returned from database: (code: 13) database or disk is full", DiskFull),
        ("(code: 5) database is locked", StoreBusy),
        ("pool timed out while waiting for an open connection", StoreBusy),
    ],
)
def test_what_sqlite_says_is_understood(text, kind):
    assert isinstance(translated(RuntimeError(text)), kind)


def test_no_space_and_unknown_errors_are_told_apart():
    assert isinstance(translated(OSError(28, "No space left on device")), DiskFull)
    assert isinstance(translated(ValueError("bad where in get.")), ArgumentRefused)
    assert translated(RuntimeError("something else")) is None


def test_problem_can_repeat_what_is_no_text(api):
    content = b'{"where": {"$not_regex": {"$lte": "\\ud800"}}, "\\ud800": 1}'
    headers = {"Content-Type": "application/json"}
    check(api.reader.post(f"{api.collection()}/documents/get", content=content, headers=headers), 422)


def test_index_that_cannot_be_written_is_a_full_disk_if_little_is_free():
    error = RuntimeError("Error in compaction: Failed to apply logs to the hnsw segment writer")
    assert isinstance(translated(error, free_bytes=1 << 20), DiskFull)
    assert isinstance(translated(error, free_bytes=1 << 40), IndexFailed)


@pytest.mark.parametrize("store_kind", ["embedded"], indirect=True, scope="module")
def test_full_disk_keeps_health_failing_until_a_restart(make_api, monkeypatch):
    """A small write may still fit, but Chroma does not recover while it runs."""
    api = make_api(max_batch_rows=5)
    path = api.collection(embedding="own", dimensions=2)

    def full(**_):
        raise RuntimeError("(code: 13) database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("chromadb.Collection.upsert", lambda *_, **__: full())
        documents = {"documents": [{"id": "a", "vector": [1, 2]}]}
        check(api.writer.post(f"{path}/documents", json=documents), 507)
    assert not api.runtime.canary.sing().ok
    answer = api.anonymous.get("/healthz")
    assert answer.status_code == 503
    assert "restart" in answer.json()["canary"]["error"]


def test_request_id_of_the_caller_is_kept_if_harmless(api):
    assert api.admin.get("/v1/status", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    given = api.admin.get("/v1/status", headers={"X-Request-Id": "a b{}"}).headers["x-request-id"]
    assert given != "a b{}"


@pytest.fixture(scope="module")
def small(make_api, fake_embedder):
    return make_api(embedder=fake_embedder(), max_body_bytes=2_048, max_concurrent_requests=2)


def test_body_over_the_limit_is_413(small):
    check(small.admin.post("/v1/collections", content=b"x" * 2_049), 413)


def test_chunked_body_over_the_limit_is_413(small):
    headers = {"Content-Type": "application/json"}
    answer = small.admin.post("/v1/collections", content=(b" " * 500 for _ in range(6)), headers=headers)
    assert "content-length" not in answer.request.headers
    check(answer, 413)
    assert small.runtime.load.body_bytes == 0, "what was reserved is given back"


def test_body_within_the_limit_passes_in_pieces(small):
    body = iter([b'{"name": "pie', b'ces"}', b" " * 1_000])
    headers = {"Content-Type": "application/json"}
    assert small.admin.post("/v1/collections", content=body, headers=headers).status_code == 201


def test_too_many_requests_are_429_and_places_come_back(small, monkeypatch):
    entered, release = threading.Semaphore(0), threading.Event()
    original = small.runtime.storage.list_collections

    def slow(*arguments):
        entered.release()
        assert release.wait(10)
        return original(*arguments)

    monkeypatch.setattr(small.runtime.storage, "list_collections", slow)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(small.admin.get("/v1/collections"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert entered.acquire(timeout=10)
    refused = small.admin.get("/v1/status")
    check(refused, 429)
    assert refused.headers["retry-after"] == "1"
    assert small.anonymous.get("/healthz").status_code == 200, "health needs no place"
    release.set()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert small.admin.get("/v1/status").json()["load"] == {"requests": 1, "body_bytes": 0, "rejected": 1}


def test_bodies_together_are_bounded(small):
    small.runtime.load.body_bytes = 4_000
    try:
        check(small.admin.post("/v1/collections", content=b"x" * 200), 429)
    finally:
        small.runtime.load.body_bytes = 0
