from __future__ import annotations

import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cortex_api.app import create_app
from cortex_api.auth import Gateway
from cortex_api.calls import Calls
from cortex_api.canary import Canary
from cortex_api.runtime import Runtime
from cortex_api.storage import StorageError, StoreBusy, StoreClosed
from starlette.testclient import TestClient


def test_health_says_ok_with_the_canary(api):
    answer = api.anonymous.get("/healthz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert body["canary"]["ok"] is True
    assert body["canary"]["error"] is None
    assert body["canary"]["write_ms"] > 0
    assert body["canary"]["age_s"] >= 0


def test_health_says_failing_with_the_reason_and_recovers(make_api, monkeypatch):
    api = make_api()

    def fail(value):
        raise StorageError("attempt to write a readonly database")

    with monkeypatch.context() as broken:
        broken.setattr(api.runtime.canary, "_round_trip", fail)
        api.runtime.canary.sing()
        answer = api.anonymous.get("/healthz")
        assert answer.status_code == 503
        assert answer.json()["status"] == "failing"
        assert "readonly" in answer.json()["canary"]["error"]
    api.runtime.canary.sing()
    assert api.anonymous.get("/healthz").status_code == 200


def test_health_before_the_store_is_open_and_after_a_stop(make_api, gateway_headers):
    opened = make_api()
    runtime = Runtime(opened.runtime.settings, lambda: None, lambda: None)
    client = TestClient(create_app(runtime, Gateway(opened.credential_file)), headers=gateway_headers("admin"))
    assert client.get("/healthz").status_code == 503
    assert client.get("/healthz").json()["status"] == "starting"
    starting = client.get("/v1/status")
    assert (starting.status_code, starting.json()["type"]) == (503, "urn:cortex:problem:starting")
    runtime.begin_stop()
    runtime.phase.opened()
    assert client.get("/healthz").json()["status"] == "stopping"
    stopping = client.get("/v1/status")
    assert (stopping.status_code, stopping.headers["connection"]) == (503, "close")


def test_who_asks_before_the_store_is_open_waits_for_it(make_api, gateway_headers):
    opened = make_api()
    settings = opened.runtime.settings.model_copy(update={"start_wait_s": 30.0})
    allow = threading.Event()

    def open_storage():
        assert allow.wait(20)
        return opened.runtime.storage

    runtime = Runtime(settings, open_storage, lambda: opened.runtime.embedder)
    client = TestClient(create_app(runtime, Gateway(opened.credential_file)), headers=gateway_headers("admin"))
    runtime.open_in_background(lambda: None)
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(client.get, "/v1/status")
        assert client.get("/healthz").json()["status"] == "starting", "health does not wait"
        with pytest.raises(TimeoutError):
            answer.result(0.2)
        allow.set()
        assert answer.result(20).status_code == 200
    runtime.begin_stop()


def test_who_asks_too_long_before_the_store_is_open_is_told(make_api, gateway_headers):
    opened = make_api()
    settings = opened.runtime.settings.model_copy(update={"start_wait_s": 0.1})
    runtime = Runtime(settings, lambda: None, lambda: None)
    client = TestClient(create_app(runtime, Gateway(opened.credential_file)), headers=gateway_headers("admin"))
    assert client.get("/v1/status").json()["type"] == "urn:cortex:problem:starting"


def test_lingering_is_unhealthy_and_still_serves(make_api):
    api = make_api(stop_linger_s=5)
    assert api.runtime.begin_linger()
    health = api.anonymous.get("/healthz")
    assert (health.status_code, health.json()["status"]) == (503, "stopping")
    assert api.admin.post("/v1/collections", json={"name": "late"}).status_code == 201
    assert api.reader.get("/v1/status").json()["health"]["status"] == "stopping"


def test_nothing_lingers_unasked_or_before_the_store_is_open(make_api):
    api = make_api()
    assert not api.runtime.begin_linger()
    assert api.anonymous.get("/healthz").status_code == 200
    settings = api.runtime.settings.model_copy(update={"stop_linger_s": 5.0})
    assert not Runtime(settings, lambda: None, lambda: None).begin_linger()


def test_canary_shows_in_no_list_and_no_count(make_api):
    api = make_api()
    api.runtime.canary.sing()
    assert api.reader.get("/v1/collections").json()["total"] == 0
    assert api.reader.get("/v1/status").json()["store"]["collections"] == 0


def test_wrong_vector_read_back_is_a_failure(make_api, monkeypatch):
    storage = make_api().runtime.storage
    monkeypatch.setattr(storage._canary, "get", lambda **_: {"embeddings": np.array([[7.0, 1.0]])})
    with pytest.raises(StorageError, match="read back as"):
        storage.canary(3.0)


def test_canary_is_regular_and_stops():
    heard = threading.Semaphore(0)
    canary = Canary(lambda _: (heard.release(), (0.001, 0.001))[1], interval_s=0.01)
    canary.start()
    for _ in range(3):
        assert heard.acquire(timeout=5)
    canary.stop()
    canary._thread.join(5)
    assert not canary._thread.is_alive()


def test_canary_hardly_grows_the_log(make_api):
    """One row of the log per canary, small, and nothing else: docs/api.md states the number."""
    api = make_api()
    database = api.runtime.settings.store_path / "chroma.sqlite3"
    for value in range(50):
        api.runtime.storage.canary(float(value))
    api.close()
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(embeddings_queue)")]
        size = " + ".join(f"coalesce(length({column}), 0)" for column in columns)
        rows, content = connection.execute(
            f"SELECT count(*), avg({size}) FROM embeddings_queue"  # noqa: S608 -- the table's own columns
        ).fetchone()
        (records,) = connection.execute("SELECT count(*) FROM embeddings").fetchone()
    assert (rows, records) == (51, 1), "the one at the opening, and these; always the same record"
    assert content < 200


def test_writes_wait_for_each_other_but_not_for_ever():
    calls = Calls()
    with calls.writing(), pytest.raises(StoreBusy), calls.writing(wait_s=0.01):
        pass


def test_closing_waits_for_calls_and_lets_no_new_one_in():
    calls = Calls()
    inside, leave = threading.Event(), threading.Event()

    def call():
        with calls.reading():
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=call)
    thread.start()
    assert inside.wait(5)
    assert calls.drain(0.01) is False
    with pytest.raises(StoreClosed), calls.reading():
        pass
    leave.set()
    assert calls.drain(5) is True
    thread.join()


def test_closed_store_lets_go_of_its_files(make_api):
    api = make_api()
    folder = str(api.runtime.settings.store_path)
    path = api.collection()
    api.writer.post(f"{path}/documents", json={"documents": [{"id": "a", "vector": [1.0] * 8}]})

    def held():
        links = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]  # noqa: PTH115
        return [link for link in links if link.startswith(f"{folder}/chroma.sqlite3")]

    assert held()
    api.close()
    deadline = time.monotonic() + 10
    while held() and time.monotonic() < deadline:  # Chroma's pool closes in threads of its own
        time.sleep(0.01)
    assert not held()
