"""A guard over the real API, as bare processes: the first start, a killed server, a killed guard, a torn index."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

import store
from tests.recovery.clients import api_headers
from tests.recovery.conftest import StartGuard
from tests.recovery.guards import Watched, gone
from tests.recovery.servers import wait_until

pytestmark = pytest.mark.process
# More than Chroma's 1,000 after which it saves an index, and some that only the log has.
ROWS = 1_100


def api(guard: Watched) -> httpx.Client:
    return httpx.Client(base_url=guard.url, headers=api_headers(guard.token), timeout=20)


def vector(number: int) -> list[float]:
    return [1.0, float(number), 0.5, 0.25]


def write_rows(guard: Watched) -> None:
    with api(guard) as client:
        client.post("/v1/collections", json={"name": "kept", "space": "l2"}).raise_for_status()
        for first in range(0, ROWS, 550):
            rows = [{"id": f"r{n}", "vector": vector(n)} for n in range(first, first + 550)]
            client.post("/v1/collections/kept/documents", json={"documents": rows}).raise_for_status()


def assert_rows(guard: Watched) -> None:
    """Every row is there, and a search near each of some finds it: its vector is in the index."""
    with api(guard) as client:
        assert client.get("/v1/collections/kept/count").json() == {"count": ROWS}
        wanted = list(range(0, ROWS, 99))
        answer = client.post(
            "/v1/collections/kept/query", json={"vectors": [vector(n) for n in wanted], "k": 1, "include": []}
        )
        answer.raise_for_status()
        found = [match["id"] for result in answer.json()["results"] for match in result["matches"]]
        assert found == [f"r{n}" for n in wanted]


def test_from_the_first_start_to_the_last(start_guard: StartGuard) -> None:
    guard = start_guard()
    server = guard.server_pid()
    assert server is not None
    for path in ("livez", "readyz", "startupz", "writable", "metrics"):
        assert guard.asked(path).status_code == 200, path
    state = guard.state()
    assert (state["phase"], state["ready"], state["live"]) == ("serving", True, True)
    assert {"guard", "server", "canary", "memory", "disk", "log_setting"} <= {j["name"] for j in state["judgements"]}

    second = subprocess.run(
        guard.command(), env=guard.environment(), capture_output=True, text=True, check=False, timeout=30
    )
    assert second.returncode == 75
    assert guard.process is not None
    assert f"already written by process {guard.process.pid}" in second.stderr
    assert guard.ready(), "the first one goes on"

    assert guard.stop() == 0
    assert gone(server)
    assert guard.notes()["end"] == "clean"
    with store.WriterLock(guard.store) as lock:
        assert lock.predecessor is None, "the lock was given back"
    with pytest.raises(httpx.ConnectError):
        guard.asked("livez")


def test_killed_server_killed_guard_and_torn_index(start_guard: StartGuard, empty_store: Path) -> None:
    guard = start_guard(on=empty_store)
    write_rows(guard)
    server = guard.server_pid()
    assert server is not None
    left = guard.store / ".cortex/tmp/etilqs_left"
    left.write_text("by a killed process")

    os.kill(server, signal.SIGKILL)
    guard.wait_server_other_than(server)
    assert guard.asked("livez").status_code == 200
    guard.wait_ready()
    assert_rows(guard)
    crashed = guard.said("server.crashed")
    assert crashed["reason"].startswith("the server was killed by SIGKILL")
    assert guard.said("verify")["reason"] == "the last run's end: crashed"
    assert guard.until_done("restart", "done")["reason"].startswith("crash: the server was killed")
    assert not left.exists()
    assert len(guard.notes()["crashes"]["times_s"]) == 1
    assert 'cortex_server_ends_total{end="crashed"} 1.0' in guard.asked("metrics").text

    server = guard.server_pid()
    assert server is not None
    assert guard.process is not None
    guard.process.kill()
    wait_until(lambda: gone(server), "the server to die with its guard", 10)
    (pickle,) = guard.store.glob("*/index_metadata.pickle")
    pickle.write_bytes(pickle.read_bytes()[:100])

    again = start_guard(again=guard)
    assert again.said("lock.stale")["held_by"].startswith(f"process {guard.process.pid} (the guard)")
    assert again.said("last.end")["end"] == "unknown"
    assert again.until_done("repair", "done")["reason"].startswith("index_torn in kept")
    assert_rows(again)
    assert again.judged("guard")["verdict"] == "ok"
    assert again.stop() == 0
