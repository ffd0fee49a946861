"""What a change of settings does to what runs: nothing, a reload, an update in place, or a replacement."""

from __future__ import annotations

import json
import socket

import pytest

from infra.topologies.parts import API, GATEWAY
from tests.deploy.deployment import Deployment, free_port, wait_for
from tests.deploy.steady import steady_calls


def test_second_preview_is_empty_also_after_refresh(deployment: Deployment) -> None:
    assert deployment.preview_is_empty()
    deployment.run("refresh", "--yes", "--skip-preview")
    assert deployment.preview_is_empty()


def test_second_up_changes_nothing(deployment: Deployment) -> None:
    before = {part: deployment.inspect(part)["State"]["StartedAt"] for part in deployment.parts()}
    assert "unchanged" in deployment.up()
    assert {part: deployment.inspect(part)["State"]["StartedAt"] for part in deployment.parts()} == before


def test_memory_is_updated_in_place(deployment: Deployment) -> None:
    before = deployment.inspect()
    wanted = before["HostConfig"]["Memory"] // (1 << 20) + 64
    deployment.set({"limits": {"memory_mib": wanted}})
    # The environment that shows the limit in /v1/status changes with it, so plan and cgroup are compared after it.
    deployment.up()
    after = deployment.inspect()
    assert after["HostConfig"]["Memory"] == after["HostConfig"]["MemorySwap"] == wanted << 20
    assert after["Id"] == before["Id"]
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert deployment.preview_is_empty()


def test_health_check_change_reaches_every_container(deployment: Deployment) -> None:
    before = {part: deployment.inspect(part)["Id"] for part in (API, GATEWAY)}
    deployment.set({"health": {**deployment.settings["health"], "retries": 3}})
    deployment.up()
    for part, former in before.items():
        after = deployment.inspect(part)
        assert after["Config"]["Healthcheck"]["Retries"] == 3, part
        assert after["Id"] != former, part
    deployment.wait_healthy()
    assert deployment.preview_is_empty()


def test_callers_wait_while_the_server_is_replaced(deployment: Deployment) -> None:
    before = {part: deployment.inspect(part)["Id"] for part in (API, GATEWAY)}
    health = deployment.settings["health"]
    deployment.set({"health": {**health, "canary_interval_s": health["canary_interval_s"] + 1}})
    with steady_calls(deployment, deployment.token()) as calls:
        deployment.up()
    assert calls.failures == []
    assert calls.answered > 10
    assert deployment.inspect(API)["Id"] != before[API]
    assert deployment.inspect(GATEWAY)["Id"] == before[GATEWAY]
    deployment.wait_healthy()


def test_what_the_gateway_allows_is_loaded_by_the_one_that_runs(deployment: Deployment) -> None:
    before, kept = deployment.inspect(GATEWAY), deployment.settings.get("gateway", {})

    def refused() -> bool:
        with deployment.client(deployment.token("reader")) as client:
            return client.get("/v1/collections").status_code == 429

    assert not refused()
    deployment.set({"gateway": {**kept, "requests_per_s_per_token": 1}})
    deployment.up()
    try:
        wait_for(refused, "more than a request a second to be refused", 30)
    finally:
        deployment.set({"gateway": kept})
        deployment.up()
    wait_for(lambda: not refused(), "the former limit to be back", 30)
    after = deployment.inspect(GATEWAY)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])


def test_port_in_use_is_one_clear_message(deployment: Deployment) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        kept = deployment.settings["access"]
        deployment.set({"access": {**kept, "port": taken}})
        try:
            done = deployment.run("preview", check=False)
        finally:
            deployment.set({"access": kept})
    assert done.returncode != 0
    assert f"cortex:access.port = {taken}" in done.stdout + done.stderr
    assert "is taken by another program" in done.stdout + done.stderr


def test_port_of_another_container_is_named(deployment: Deployment) -> None:
    other = Deployment(f"{deployment.name}-b", deployment.config_file.parent / "b", deployment.environment)
    health = {"port": deployment.settings["health"]["port"]}
    other.set({"corpus": deployment.settings["corpus"], "access": deployment.settings["access"], "health": health})
    done = other.run("preview", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for setting, port in {**deployment.settings["access"], "health": health["port"]}.items():
        path = "health.port" if setting == "health" else f"access.{setting}"
        assert f"cortex:{path} = {port}" in said
    assert said.count(f"is taken by container {deployment.container(GATEWAY)}") >= 3


def test_missing_daemon_is_one_clear_message(deployment: Deployment) -> None:
    kept = deployment.environment
    deployment.environment = {**kept, "DOCKER_HOST": f"tcp://127.0.0.1:{free_port()}"}
    try:
        done = deployment.run("preview", check=False)
    finally:
        deployment.environment = kept
    assert done.returncode != 0
    assert "no Docker daemon answers at tcp://127.0.0.1" in done.stdout + done.stderr


@pytest.mark.parametrize("limit", [128])
def test_limit_below_the_need_fails_the_preview(deployment: Deployment, limit: int) -> None:
    kept = deployment.settings.get("limits", {})
    deployment.set({"limits": {"memory_mib": limit}})
    try:
        done = deployment.run("preview", check=False)
    finally:
        deployment.set({"limits": kept})
    assert done.returncode != 0
    assert "MiB below the computed need of" in done.stdout + done.stderr


def test_store_is_never_replaced(deployment: Deployment) -> None:
    resources = json.loads(deployment.run("stack", "export").stdout)["deployment"]["resources"]
    (store,) = [
        resource
        for resource in resources
        if resource["type"] == "docker:index/volume:Volume" and resource.get("protect")
    ]
    assert store["retainOnDelete"]
    assert store["outputs"]["name"] == deployment.volume
