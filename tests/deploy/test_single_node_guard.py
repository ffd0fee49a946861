"""The guard in its container: process 1, restarts what dies, loses nothing when all is killed, tells how it is."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from infra.sizing.coefficients import GUARD_BYTES
from infra.topologies.parts import API, GATEWAY, PROBE
from tests.deploy.deployment import Deployment, server_pid, wait_for
from tests.recovery.check import check
from tests.recovery.clients import CortexClient
from tests.recovery.journal import Journal
from tests.recovery.workload import Workload

KILLS = 2
# Enough for Chroma to save an index, which it does every 1,000 rows.
ROWS, DIMENSIONS = 1_200, 4


def said(deployment: Deployment) -> dict[str, Any]:
    """What the guard says now, as the probe prints it."""
    answer: dict[str, Any] = json.loads(deployment.host().run(f"{PROBE} --json").stdout)
    return answer


def start_again(deployment: Deployment) -> None:
    """As Docker does after a crash; it does not after a `docker kill`."""
    deployment.start_stopped()
    deployment.wait_healthy()


@pytest.mark.parametrize("part", [API, GATEWAY])
def test_guard_is_process_one_and_small(deployment: Deployment, part: str) -> None:
    deployment.wait_healthy()
    host = deployment.host(part=part)
    assert "healthcheck.guard" in host.file("/proc/1/cmdline").content_string
    resident = re.search(r"VmRSS:\s+(\d+) kB", host.file("/proc/1/status").content_string)
    assert resident is not None
    assert int(resident[1]) * 1024 <= GUARD_BYTES


def test_endpoints_tell_without_a_token_and_give_nothing_away(deployment: Deployment) -> None:
    deployment.wait_healthy()
    with deployment.metrics_client() as door, deployment.client() as api:
        api.post("/v1/collections", json={"name": "secret-plans"})
        for path in ("/livez", "/readyz", "/startupz", "/writable"):
            assert door.get(f"/guard{path}").status_code == 200, path
        verbose = door.get("/guard/readyz?verbose").text
        for judgement in ("server", "canary", "memory", "disk", "inodes", "open_files", "collections", "log_setting"):
            assert re.search(rf"^\w+ +{judgement}\b", verbose, re.MULTILINE), (judgement, verbose)
        metrics = door.get("/guard/metrics").text
        assert "cortex_" in metrics
        told = verbose + metrics + door.get("/guard/livez?verbose").text + door.get("/metrics").text
        assert "secret-plans" not in told
        api.delete("/v1/collections/secret-plans")


def test_a_killed_server_is_restarted_without_docker(deployment: Deployment) -> None:
    deployment.wait_healthy()
    before, pid = deployment.inspect(), server_pid(deployment)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the killed server to be gone", 30)
    with deployment.client() as client:
        assert client.get("/v1/collections").status_code == 200, "who asks meanwhile waits, and is answered"
    assert server_pid(deployment) != pid
    deployment.wait_healthy()
    after = deployment.inspect()
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert after["RestartCount"] == before["RestartCount"]


@pytest.mark.parametrize("part", [API, GATEWAY])
def test_a_container_that_ends_is_started_by_docker(deployment: Deployment, part: str) -> None:
    deployment.wait_healthy()
    before = deployment.inspect(part)
    os.kill(before["State"]["Pid"], signal.SIGKILL)
    wait_for(
        lambda: deployment.inspect(part)["RestartCount"] > before["RestartCount"], f"Docker to start the {part} again"
    )
    deployment.wait_healthy()
    with deployment.client() as client:
        assert client.get("/v1/collections").status_code == 200


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_when_the_container_is_killed(deployment: Deployment, tmp_path: Path) -> None:
    deployment.wait_healthy()

    def connect() -> CortexClient:
        return CortexClient(deployment.output("url"), deployment.token(), trust=deployment.trust())

    client = connect()
    for name in client.names():
        client.drop(name)
    client.close()
    with Journal(tmp_path / "journal") as journal:
        for kill in range(KILLS):
            workload = Workload(connect, journal, f"container/{kill}", workers=2)
            rows_before = journal.acknowledged_rows
            workload.start()
            wait_for(lambda: journal.acknowledged_rows > rows_before + 1_500, "rows past a save of the index", 120)  # noqa: B023 -- called in this round
            deployment.docker(["kill", "--signal", "KILL", deployment.container()])
            start_again(deployment)
            workload.stop()
            client = connect()
            found = check(client, journal)
            assert found.is_clean, found.notes
            assert found.rows > 0
        for name in journal.names():
            client.drop(name)
        client.close()


def test_a_torn_index_is_mended_before_the_server_starts(deployment: Deployment) -> None:
    deployment.wait_healthy()
    vectors = {f"row-{row}": [float(row), 1.0, -float(row), row / 7] for row in range(ROWS)}
    with deployment.client() as client:
        body = {"name": "torn", "embedding": "own", "dimensions": DIMENSIONS}
        client.post("/v1/collections", json=body).raise_for_status()
        items = list(vectors.items())
        for start in range(0, ROWS, 200):
            documents = [{"id": key, "vector": vector} for key, vector in items[start : start + 200]]
            client.post("/v1/collections/torn/documents", json={"documents": documents}).raise_for_status()
    tear = (
        "import pathlib\n"
        "found = list(pathlib.Path('/data').glob('*/index_metadata.pickle'))\n"
        "assert found\n"
        "for path in found: path.write_bytes(path.read_bytes()[:100])"
    )
    deployment.host().check_output("python3 -c %s", tear)
    deployment.docker(["kill", "--signal", "KILL", deployment.container()])
    start_again(deployment)
    assert any(action["action"] == "repair" for action in said(deployment)["actions"]), said(deployment)
    with deployment.client() as client:
        got = client.post(
            "/v1/collections/torn/documents/get",
            json={"ids": list(vectors)[-200:], "include": ["vector"], "limit": 200},
        ).json()["documents"]
        assert {each["id"] for each in got} == set(list(vectors)[-200:])
        for each in got:
            assert each["vector"] == pytest.approx(vectors[each["id"]], rel=1e-6)
        assert client.get("/v1/collections/torn/count").json() == {"count": ROWS}
        client.delete("/v1/collections/torn").raise_for_status()
