"""The API under a guard: it is given the lock, obeys when the store is not writable, and loads its indexes at start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
from cortex_api.guard_state import GuardState
from cortex_api.storage import NotWritable

import store


def say(path, **writable):
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"version": 1, "writable": writable}))
    fresh.replace(path)


def test_writes_are_refused_while_reads_and_the_canary_go_on(make_api, tmp_path):
    state = tmp_path / "health.json"
    api = make_api(guard_state=state)
    path = api.collection()
    document = {"documents": [{"id": "a", "vector": [1.0] * 8}]}
    assert api.writer.post(f"{path}/documents", json=document).status_code == 200
    say(state, ok=False, reason="the disk is 96 % full", retry_after_s=17)
    refused = [
        api.writer.post(f"{path}/documents", json=document),
        api.writer.post(f"{path}/documents/delete", json={"ids": ["a"]}),
        api.admin.post("/v1/collections", json={"name": "another"}),
    ]
    for answer in refused:
        assert (answer.status_code, answer.headers["retry-after"]) == (507, "17")
        assert answer.json()["type"] == "urn:cortex:problem:not-writable"
        assert "96 %" in answer.json()["detail"]
    lines = api.writer.post(
        f"{path}/documents/stream",
        content=b'{"id": "b", "vector": [1,1,1,1,1,1,1,1]}\n',
        headers={"Content-Type": "application/x-ndjson"},
    ).text.splitlines()
    assert json.loads(lines[-1])["slug"] == "not-writable"
    assert api.reader.get(f"{path}/count").json() == {"count": 1}
    assert api.reader.post(f"{path}/query", json={"vectors": [[1.0] * 8], "k": 1}).status_code == 200
    assert api.runtime.canary.sing().ok
    spare = api.collection
    say(state, ok=True)
    assert api.writer.post(f"{path}/documents", json=document).status_code == 200
    doomed = spare()
    say(state, ok=False, reason="full", retry_after_s=1)
    assert api.admin.delete(doomed).status_code == 204, "deleting a collection makes room"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"writable": 1}', '{"writable": {"ok": null}}'])
def test_a_state_that_says_nothing_forbids_nothing(tmp_path, text):
    path = tmp_path / "health.json"
    GuardState(path).check_writable()
    path.write_text(text)
    GuardState(path).check_writable()


def test_the_state_is_read_again_only_when_it_was_replaced(tmp_path):
    path = tmp_path / "health.json"
    say(path, ok=False, reason="full")
    state = GuardState(path)
    with pytest.raises(NotWritable) as caught:
        state.check_writable()
    assert caught.value.retry_after_s == 60
    say(path, ok=True)
    state.check_writable()


def test_a_failed_index_fails_the_canary_and_does_not_keep_the_others_from_loading(make_api, copy_store, monkeypatch):
    api = make_api(copy_store())
    for _ in range(2):
        path = api.collection()
        api.writer.post(f"{path}/documents", json={"documents": [{"id": "a", "vector": [1.0] * 8}]})
    storage = api.runtime.storage
    handles = storage._client.list_collections()
    seen = []

    class Torn:
        name, _model = handles[0].name, handles[0]._model

        def query(self, **_):
            raise RuntimeError("Error loading hnsw index")

    monkeypatch.setattr(storage, "_client", type("Client", (), {"list_collections": lambda _: [Torn(), handles[1]]})())
    storage.warm_up(lambda *step: seen.append(step))
    monkeypatch.undo()
    assert seen == [(Torn.name, 0, 2), (handles[1].name, 1, 2), ("", 2, 2)]
    result = api.runtime.canary.sing()
    assert not result.ok
    assert "an index failed; restart" in result.error


def test_health_tells_how_far_the_loading_is_without_names(make_api):
    api = make_api()
    api.runtime._warmed("secret-name", 3, 7)
    body = api.anonymous.get("/healthz").json()
    assert body["warming"] == {"done": 3, "of": 7}
    assert body["disk_full"] is False
    api.runtime._warmed("", 7, 7)
    assert api.anonymous.get("/healthz").json()["warming"] is None


@pytest.mark.process
def test_a_process_with_the_guards_lock_serves_and_one_with_another_descriptor_is_refused(
    copy_store, credential_writer, tmp_path
):
    folder = copy_store()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CORTEX_")},
        "CORTEX_STORE_PATH": str(folder),
        "CORTEX_INNER_CREDENTIAL_FILE": str(credential_writer(tmp_path / "inner-credential")),
        "CORTEX_HOST": "127.0.0.1",
        "CORTEX_PORT": str(port),
        "CORTEX_MODEL": "custom",
        "CORTEX_DIMENSIONS": "4",
    }

    def start(descriptor):
        return subprocess.Popen(
            [sys.executable, "-m", "cortex_api"],
            env={**environment, "CORTEX_LOCK_FD": str(descriptor)},
            pass_fds=[descriptor],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    with store.WriterLock(folder) as lock, (tmp_path / "inner-credential").open() as other:
        wrong = start(other.fileno())
        _, problem = wrong.communicate(timeout=30)
        assert wrong.returncode == 75, problem
        process = start(lock.fileno())
        try:
            deadline = time.monotonic() + 60
            status = None
            while status != "ok":
                assert time.monotonic() < deadline, f"waited 60 s for health to be ok; last: {status}"
                assert process.poll() is None, process.communicate()
                try:
                    status = httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).json()["status"]
                except httpx.TransportError:
                    time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
            assert process.returncode == 0
        finally:
            process.kill()
            process.communicate()
