"""The running container is what the plan says: limits, hardening, mounts, ports, log rotation."""

from __future__ import annotations

import json

from infra.feasibility import Host
from infra.plan import Plan
from infra.settings import load_settings
from infra import topologies
from tests.deploy.deployment import Deployment


def planned(deployment: Deployment) -> Plan:
    settings = load_settings(deployment.settings, deployment.name)
    open_files = deployment.inspect()["HostConfig"]["Ulimits"][0]["Hard"]
    return topologies.plan(
        deployment.name,
        settings,
        topologies.sized(settings),
        Host(open_files_hard_limit=open_files).open_files_hard_limit,
    )


def test_cgroup_limits_equal_the_plan(deployment: Deployment) -> None:
    wanted = planned(deployment).store_group.server.resources
    host = deployment.host()
    v2 = host.file("/sys/fs/cgroup/memory.max").exists
    limit = "/sys/fs/cgroup/memory.max" if v2 else "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    assert int(host.file(limit).content_string) == wanted.memory_limit_bytes
    config = deployment.inspect()["HostConfig"]
    assert config["Memory"] == config["MemorySwap"] == wanted.memory_limit_bytes
    assert config["MemoryReservation"] == wanted.memory_reservation_bytes
    assert config["NanoCpus"] == wanted.cpus * 1e9


def test_open_files_are_granted(deployment: Deployment) -> None:
    wanted = planned(deployment).store_group.server.resources.open_files
    limits = deployment.host().file("/proc/1/limits").content_string
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3:5] == [str(wanted), str(wanted)]


def test_process_has_no_rights(deployment: Deployment) -> None:
    status = dict(
        line.split(":", 1)
        for line in deployment.host().file("/proc/1/status").content_string.splitlines()
        if ":" in line
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Gid"].split() == ["10001"] * 4
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {0}
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"


def test_root_is_read_only(deployment: Deployment) -> None:
    for place in ("/", "/opt/cortex", "/etc", "/run/cortex/secrets"):
        done = deployment.host("root").run(f"touch {place}/probe")
        assert done.rc != 0
        assert "Read-only file system" in done.stderr
    assert deployment.host().run("touch /tmp/probe /data/.cortex/probe && rm /tmp/probe /data/.cortex/probe").rc == 0


def test_mounts_are_the_store_and_the_secrets(deployment: Deployment) -> None:
    mounts = {mount["Destination"]: (mount["Name"], mount["RW"]) for mount in deployment.inspect()["Mounts"]}
    assert mounts == {
        "/data": (deployment.volume, True),
        "/run/cortex/secrets": (f"cortex-{deployment.name}-api-secrets", False),
    }
    options = deployment.inspect()["HostConfig"]["Tmpfs"]
    assert list(options) == ["/tmp"]
    assert "noexec" in options["/tmp"]


def test_secret_files_are_readable_by_the_group_only(deployment: Deployment) -> None:
    file = deployment.host("root").file("/run/cortex/secrets/tokens.json")
    assert (file.uid, file.gid, file.mode) == (0, 10001, 0o440)


def test_nothing_is_published_but_what_is_set(deployment: Deployment) -> None:
    port, guard_port = deployment.settings["access"]["port"], deployment.settings["health"]["port"]
    assert deployment.inspect()["NetworkSettings"]["Ports"] == {
        "8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}],
        "8081/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(guard_port)}],
    }
    # 0A is LISTEN; addresses are hexadecimal.
    listening = {
        int(line.split()[1].rpartition(":")[2], 16)
        for name in ("tcp", "tcp6")
        for line in deployment.host().file(f"/proc/net/{name}").content_string.splitlines()[1:]
        if line.split()[3] == "0A" and not line.split()[1].startswith("0B00007F")  # Docker's own DNS, 127.0.0.11
    }
    assert listening == {8080, 8081}


def test_container_is_on_a_network_of_its_own(deployment: Deployment) -> None:
    networks = deployment.inspect()["NetworkSettings"]["Networks"]
    assert list(networks) == [f"cortex-{deployment.name}"]


def test_logs_rotate_and_the_server_comes_back(deployment: Deployment) -> None:
    config = deployment.inspect()["HostConfig"]
    assert config["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}}
    assert config["RestartPolicy"]["Name"] == "unless-stopped"


def test_health_check_is_the_images_own(deployment: Deployment) -> None:
    container = deployment.inspect()
    check = container["Config"]["Healthcheck"]
    assert check["Test"] == ["CMD", parts.PROBE]
    assert check["Interval"] == check["Timeout"] == 1_000_000_000
    assert deployment.host().file(parts.PROBE).mode & 0o111
    answer = json.loads(deployment.host().check_output(f"{parts.PROBE} --json"))
    assert {judgement["name"] for judgement in answer["judgements"]} >= {"server", "canary", "memory", "disk", "inodes"}


def test_stop_ends_in_order(deployment: Deployment) -> None:
    started = deployment.inspect()["State"]["StartedAt"]
    assert deployment.stop() == [deployment.container]
    state = deployment.inspect()["State"]
    assert state["ExitCode"] == 0
    assert not state["OOMKilled"]
    deployment.start_stopped()
    deployment.wait_healthy()
    assert deployment.inspect()["State"]["StartedAt"] > started


def test_status_tells_what_is_used_and_allowed(deployment: Deployment) -> None:
    wanted = planned(deployment).store_group.server
    with deployment.client() as client:
        status = client.get("/v1/status").json()
    assert status["memory"]["of"] == "container"
    assert 0 < status["memory"]["used_bytes"] < status["memory"]["limit_bytes"] == wanted.resources.memory_limit_bytes
    assert status["sizing"] == json.loads(wanted.environment["CORTEX_SIZING"])
    assert status["versions"]["chroma"] == "1.5.9"
