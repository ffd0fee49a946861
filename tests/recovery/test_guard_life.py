"""A guard over the real API, as bare processes: start, serve, restart, refuse, stop."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import store
from tests.recovery.clients import api_headers
from tests.recovery.servers import Guarded, wait_until

pytestmark = pytest.mark.process
# What is restarted is asked again within this; a loaded machine included.
LIMIT_S = 30.0
Start = Callable[..., Guarded]


class Commanded(Guarded):
    """A guard over any command."""

    def __init__(self, folder: Path, environment: dict[str, str], command: list[str]) -> None:
        super().__init__(folder, environment)
        self._command = command

    def server_command(self) -> list[str]:
        return self._command or super().server_command()


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables, to be copied: making them takes longer than all else in a start."""
    folder = tmp_path_factory.mktemp("template")
    subprocess.run([sys.executable, "-m", "cortex_api.schema", str(folder)], check=True, timeout=60)
    return folder


@pytest.fixture
def start(tmp_path: Path, empty_store: Path) -> Iterator[Start]:
    """Starts a guard in a folder of its own, or again in the one of an earlier; waits until it serves."""
    started: list[Guarded] = []

    def run(
        *,
        again: Guarded | None = None,
        ready: bool = True,
        tables: bool = True,
        command: list[str] | None = None,
        **variables: Any,
    ) -> Guarded:
        settings = {"HEALTH_TICK_S": "0.1", "HEALTH_CRASH_WINDOW_S": "600", "CORTEX_DIMENSIONS": "4"}
        settings |= {
            name if name.startswith("CORTEX_") else f"HEALTH_{name.upper()}": str(value)
            for name, value in variables.items()
        }
        folder = again.folder if again else tmp_path / str(len(started))
        guarded = Commanded(folder, settings, command or [])
        if again is None and tables:
            shutil.copytree(empty_store, guarded.store, dirs_exist_ok=True)
        started.append(guarded)
        guarded.start()
        if ready:
            guarded.wait_ready(LIMIT_S)
        return guarded

    yield run
    for each in started:
        each.kill()


def log_of(guarded: Guarded) -> list[dict[str, Any]]:
    """All lines of the container's log: each must be a JSON object. Standard error is told to a person besides."""
    lines = guarded.log.read_text().splitlines()
    return [json.loads(line) for line in lines if not line.startswith(("guard: ", "usage: "))]


def said(guarded: Guarded, message: str) -> dict[str, Any]:
    """The last line with this message."""
    found = [line for line in log_of(guarded) if line.get("message") == message]
    assert found, f"{message!r} is not in {guarded.last_words()}"
    return found[-1]


def notes(guarded: Guarded) -> dict[str, Any]:
    return dict(json.loads((guarded.store / ".cortex/guard.json").read_text()))


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def ended(guarded: Guarded, limit_s: float = LIMIT_S) -> int | None:
    wait_until(lambda: guarded.exit_code() is not None, "the guard to end", limit_s)
    return guarded.exit_code()


def rows(guarded: Guarded, count: int = 3, *, first: int = 0) -> None:
    client = httpx.Client(base_url=guarded.url, headers=api_headers(guarded.token), timeout=20)
    with client:
        client.post("/v1/collections", json={"name": "kept"})
        documents = [{"id": f"r{n}", "vector": [1.0, n, 0.5, 0.25]} for n in range(first, first + count)]
        answer = client.post("/v1/collections/kept/documents", json={"documents": documents})
        assert answer.status_code == 200, answer.text


def count(guarded: Guarded) -> int:
    headers = api_headers(guarded.token)
    return int(httpx.get(f"{guarded.url}/v1/collections/kept/count", headers=headers, timeout=20).json()["count"])


def test_life_from_the_first_start_to_the_last(start: Start) -> None:
    guarded = start(tables=False)
    server = guarded.server_pid()
    assert server is not None
    for path in ("livez", "readyz", "startupz", "writable", "metrics"):
        assert httpx.get(f"{guarded.guard_url}/{path}").status_code == 200, path
    state = guarded.state()
    assert (state["phase"], state["ready"], state["live"]) == ("serving", True, True)
    assert {"guard", "server", "canary", "memory", "disk", "log_setting"} <= {j["name"] for j in state["judgements"]}
    rows(guarded)

    second = subprocess.run(
        guarded.command(), env=guarded.environment(), capture_output=True, text=True, check=False, timeout=30
    )
    assert second.returncode == 75
    assert f"already written by process {guarded.process.pid}" in second.stderr  # type: ignore[union-attr]
    assert guarded.ready(), "the first one goes on"

    assert guarded.stop() == 0
    assert gone(server)
    assert notes(guarded)["end"] == "clean"
    assert said(guarded, "stopped")["end"] == "clean"
    with store.WriterLock(guarded.store) as lock:
        assert lock.predecessor is None, "the lock was given back"

    again = start(again=guarded)
    assert said(again, "last.end")["end"] == "clean"
    assert count(again) == 3
    assert again.stop() == 0


def test_a_killed_server_comes_back_with_every_row(start: Start) -> None:
    guarded = start()
    rows(guarded)
    server = guarded.server_pid()
    assert server is not None
    (guarded.store / ".cortex/tmp/etilqs_left").write_text("by a killed process")
    os.kill(server, signal.SIGKILL)
    guarded.wait_server_other_than(server, LIMIT_S)
    assert httpx.get(f"{guarded.guard_url}/livez").status_code == 200
    guarded.wait_ready(LIMIT_S)
    assert count(guarded) == 3
    assert said(guarded, "server.crashed")["end"] == "crashed"
    assert said(guarded, "server.crashed")["reason"].startswith("the server was killed by SIGKILL")
    assert not (guarded.store / ".cortex/tmp/etilqs_left").exists()
    assert len(notes(guarded)["crashes"]["times_s"]) == 1
    assert 'cortex_server_ends_total{end="crashed"} 1.0' in httpx.get(f"{guarded.guard_url}/metrics").text


def test_a_killed_guard_takes_its_server_along_and_the_next_one_starts(start: Start) -> None:
    guarded = start()
    rows(guarded)
    server = guarded.server_pid()
    assert server is not None
    assert guarded.process is not None
    guarded.process.kill()
    wait_until(lambda: gone(server), "the server to die with its guard", 10)
    again = start(again=guarded)
    assert said(again, "lock.stale")["held_by"].startswith(f"process {guarded.process.pid} (the guard)")
    assert said(again, "last.end")["end"] == "unknown"
    assert count(again) == 3


def test_a_crash_loop_puts_up_a_fence_that_outlives_the_guard(start: Start) -> None:
    crash = [sys.executable, "-c", "import sys; sys.stderr.write('boom\\n'); sys.exit(1)"]
    guarded = start(ready=False, command=crash, crashes=3)
    wait_until(lambda: guarded.state().get("phase") == "fenced", "the fence", LIMIT_S)
    assert len([line for line in log_of(guarded) if line["message"] == "server.crashed"]) == 3
    assert any(line["message"] == "boom" and line["stream"] == "stderr" for line in log_of(guarded))
    reply = httpx.get(f"{guarded.guard_url}/readyz?verbose")
    assert reply.status_code == 503
    assert "the server keeps crashing, last: the server ended with exit code 1" in reply.text
    assert httpx.get(f"{guarded.guard_url}/livez").status_code == 200
    assert guarded.stop() == 0

    again = start(again=guarded, ready=False, crashes=3)
    wait_until(lambda: again.state().get("phase") == "fenced", "the fence after a restart", LIMIT_S)
    assert again.server_pid() is None
    assert again.stop() == 0


@pytest.mark.parametrize("code", [65, 75, 78])
def test_an_exit_that_no_restart_would_change_is_passed_on(start: Start, code: int) -> None:
    guarded = start(ready=False, command=[sys.executable, "-c", f"raise SystemExit({code})"])
    assert ended(guarded) == code
    assert guarded.state()["phase"] == "refused"


def test_wrong_settings_are_all_told(start: Start) -> None:
    guarded = start(ready=False, memory_percent="much", listen="here")
    assert ended(guarded) == 78
    assert "HEALTH_MEMORY_PERCENT='much'" in guarded.last_words()
    assert "HEALTH_LISTEN='here'" in guarded.last_words()


def test_what_cannot_work_is_refused_with_a_reason(start: Start, tmp_path: Path) -> None:
    short = start(ready=False, open_files=10_000_000)
    assert ended(short) == 65
    assert "needs up to 10000000 open files" in short.last_words()
    missing = start(ready=False, store_path=tmp_path / "none")
    assert ended(missing) == 65
    no_tables = start(ready=False, tables=False, schema_command="")
    assert ended(no_tables) == 65
    assert "HEALTH_SCHEMA_COMMAND" in no_tables.last_words()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = start(ready=False, listen=f"127.0.0.1:{other.getsockname()[1]}")
        assert ended(taken) == 78
    assert "something else listens there" in taken.last_words()


def test_more_data_than_memory_is_refused_with_the_arithmetic_or_started_degraded(start: Start) -> None:
    guarded = start()
    rows(guarded)
    guarded.stop()
    model = '{"base_bytes":1,"vector_overhead_bytes":1000000000000,"collection_bytes":1,"work_bytes":1}'
    refused = start(again=guarded, ready=False, memory_model=model)
    assert ended(refused) == 65
    assert "3 vectors" in refused.last_words() or "4 vectors" in refused.last_words()
    degraded = start(again=guarded, memory_model=model, on_memory_short="degraded")
    wait_until(lambda: degraded.state()["verdict"] == "degraded", "the verdict", 10)
    (judged,) = [j for j in degraded.state()["judgements"] if j["name"] == "guard"]
    assert judged["verdict"] == "degraded"
    assert "the data needs" in judged["message"]


def test_a_full_disk_closes_the_store_for_writes_and_not_for_reads(start: Start) -> None:
    guarded = start(disk_stop_percent=4, hysteresis_points=1)
    wait_until(lambda: not guarded.state()["writable"]["ok"], "the store to be closed", 10)
    reply = httpx.get(f"{guarded.guard_url}/writable")
    assert (reply.status_code, reply.headers["Retry-After"]) == (507, "60")
    headers = api_headers(guarded.token)
    refused = httpx.post(f"{guarded.url}/v1/collections", json={"name": "more"}, headers=headers)
    assert (refused.status_code, refused.headers["Retry-After"]) == (507, "60")
    assert httpx.get(f"{guarded.url}/v1/collections", headers=headers).status_code == 200
    assert guarded.ready()


def test_a_server_that_does_not_stop_is_killed(start: Start) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
    )
    guarded = start(ready=False, command=[sys.executable, "-c", stubborn], stop_grace_s=0.5)
    wait_until(lambda: any(line["message"] == "up" for line in log_of(guarded)), "the server to run", LIMIT_S)
    assert guarded.stop() == 137
    assert notes(guarded)["end"] == "crashed"


def test_a_server_that_is_never_ready_is_given_up(start: Start) -> None:
    guarded = start(ready=False, command=[sys.executable, "-c", "import time; time.sleep(99)"], start_limit_s=1)
    wait_until(lambda: "server.crashed" in guarded.log.read_text(), "the start to be given up", LIMIT_S)
    assert said(guarded, "server.crashed")["reason"].startswith("it was not ready after")
    assert httpx.get(f"{guarded.guard_url}/startupz").status_code == 503


def test_the_probe_says_what_the_guard_says(start: Start, tmp_path: Path) -> None:
    guarded = start()
    launcher = tmp_path / "bin/healthcheck"
    subprocess.run([sys.executable, "-m", "healthcheck.install", launcher], check=True, timeout=60)
    environment = guarded.environment()
    wait_until(lambda: guarded.state()["verdict"] == "ok", "the verdict to be ok", LIMIT_S)
    took_ms = []
    for _ in range(10):
        started_s = time.perf_counter()
        done = subprocess.run([launcher], env=environment, capture_output=True, text=True, check=False, timeout=30)
        took_ms.append(1e3 * (time.perf_counter() - started_s))
        assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("healthy\n")
    # Twice what is stated (docs/health.md), for a machine that others use too.
    assert min(took_ms) < 40
    guarded.stop()
    wait_until(
        lambda: subprocess.run([launcher], env=environment, capture_output=True, check=False).returncode == 1,
        "the state to be stale",
        10,
    )
