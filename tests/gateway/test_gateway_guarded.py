"""The gateway as its container runs it: HAProxy under the guard, which loads what changed and refuses what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.gateway.gateway import Guard, Server, SingleNode
from infra.gateway.guarded import command, environment
from infra.gateway.tokens import GatewayToken, hashed
from infra.vocabulary import Role
from tests.gateway.backend import Backend, GuardBackend
from tests.gateway.conftest import TOKENS
from tests.gateway.load import callers
from tests.gateway.running import ADDRESS, Running
from tests.gateway.waits import free_port, wait_until

CONFIGURATION = "haproxy.cfg"


@pytest.fixture
def guarded(haproxy, certificate, tmp_path):
    """A gateway under a guard; `state()` is what the guard tells, `put(name, text)` replaces a file."""
    api, guard = Backend(), GuardBackend()
    topology = SingleNode(Server(ADDRESS, api.port, slots=4), Guard(ADDRESS, guard.port))
    running = Running(tmp_path / "gateway", topology, TOKENS, certificate)
    running.write_files()
    state_path = tmp_path / "health.json"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CORTEX_", "HEALTH_"))}
    told = environment(running.gateway) | {
        "HEALTH_LISTEN": f"{ADDRESS}:{free_port()}",
        "HEALTH_STATE_PATH": str(state_path),
        "HEALTH_TICK_S": "0.1",
    }
    with running.log.open("ab") as log:
        running.process = subprocess.Popen(
            [sys.executable, "-m", "healthcheck.guard", "--", *command(running.gateway)],
            env=kept | told,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def state() -> dict:
        try:
            return json.loads(state_path.read_text())
        except FileNotFoundError:
            return {}

    def put(name: str, text: str) -> None:
        new = Path(running.gateway.folder, f".{name}")
        new.write_text(text)
        new.replace(Path(running.gateway.folder, name))

    try:
        wait_until(lambda: bool(state().get("ready")), "the gateway to be ready")
        probe = [sys.executable, "-m", "healthcheck.probe"]
        yield SimpleNamespace(
            running=running,
            state=state,
            put=put,
            probe=lambda: subprocess.run(probe, env=kept | told, capture_output=True, text=True, check=False),
        )
    finally:
        running.stop()
        api.stop()
        guard.stop()


def outcomes(state: dict) -> list[str]:
    """Of the reloads."""
    return [each["outcome"].partition(":")[0] for each in state["actions"] if each["action"] == "reload"]


def test_it_is_healthy_and_stops_in_order(guarded):
    wait_until(lambda: guarded.probe().returncode == 0, "the probe to be content")
    guarded.running.process.send_signal(signal.SIGTERM)
    assert guarded.running.process.wait(15) == 0


def test_new_tokens_are_loaded_without_a_failed_request(guarded):
    running = guarded.running
    token = GatewayToken("second", Role.READ, hashed("second-token"))

    def status(_: int) -> tuple[str, str, bytes | None]:
        return "GET", "/v1/status", None

    with callers(running.url, running.trusting(), "read-token", status, count=3) as told:
        wait_until(lambda: len(told.took_s) > 20, "the first requests")
        running.tokens.append(token)
        running.write_files()
        with running.client("second-token") as client:
            wait_until(lambda: client.get("/v1/status").status_code == 200, "the new token to be known")
        wait_until(lambda: outcomes(guarded.state()) == ["done"], "the guard to tell")
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 20, "requests after the reload")
    assert told.failed == []


def test_a_wrong_configuration_is_refused_and_told(guarded):
    running = guarded.running
    right = Path(running.gateway.folder, CONFIGURATION).read_text()
    guarded.put(CONFIGURATION, right + "\nnonsense\n")
    wait_until(lambda: outcomes(guarded.state()) == ["refused"], "the guard to refuse it")
    wait_until(lambda: guarded.probe().returncode == 1, "the probe to tell")
    found = guarded.probe()
    assert "unknown keyword 'nonsense'" in found.stdout
    with running.client("read-token") as client:
        assert client.get("/v1/status").status_code == 200
    guarded.put(CONFIGURATION, right)
    wait_until(lambda: outcomes(guarded.state())[-1] == "done", "the right one to be loaded")
    wait_until(lambda: guarded.probe().returncode == 0, "the probe to be content")


def test_a_killed_proxy_is_started_again(guarded):
    pid = guarded.state()["server"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: guarded.state()["server"]["pid"] not in {pid, None} and guarded.state()["ready"], "a new one")
    with guarded.running.client("read-token") as client:
        assert client.get("/v1/status").status_code == 200


def test_the_log_stays_one_object_a_line(guarded):
    running = guarded.running
    with running.client("read-token") as client:
        identity = client.get("/v1/status").headers["x-request-id"]
    assert running.line(request_id=identity)["token"] == "reader"
    for line in running.log.read_text().splitlines():
        assert isinstance(json.loads(line), dict), line
