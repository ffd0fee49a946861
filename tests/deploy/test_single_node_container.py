"""Every container of the running stack is what the plan says: limits, hardening, mounts, log rotation, health check."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.topologies.backup import BACKUP, DRILL
from infra.topologies.parts import API, GATEWAY, PROBE
from tests.deploy.deployment import Deployment
from tests.deploy.planned import backup_mounts, placed, plan_of

SECOND_NS = 1_000_000_000
STORE_JUDGEMENTS = {"server", "canary", "memory", "disk", "inodes", "open_files", "collections", "log_setting"}
BARE_JUDGEMENTS = {"server", "memory", "open_files"}


def processes(deployment: Deployment, name: str) -> list[dict[str, str]]:
    """`/proc/PID/status` of every process in a container."""
    # A process may end while the list is read.
    text = deployment.host(part=name).run("cat /proc/[0-9]*/status").stdout
    found = [
        dict(line.split(":\t", 1) for line in f"Name:\t{each}".splitlines() if ":\t" in line)
        for each in text.split("Name:\t")[1:]
    ]
    # Docker's own, about to become a health check: it gives its rights away first.
    return [each for each in found if not each["Name"].startswith("runc:")]


def test_nothing_runs_but_what_is_planned(deployment: Deployment) -> None:
    assert {wanted.name for wanted in placed(deployment).values()} == {API, GATEWAY, BACKUP, DRILL}


def test_cgroup_limits_equal_the_plan(deployment: Deployment) -> None:
    for name, wanted in placed(deployment).items():
        host, resources = deployment.host(part=name), wanted.resources
        v2 = host.file("/sys/fs/cgroup/memory.max").exists
        limit = "/sys/fs/cgroup/memory.max" if v2 else "/sys/fs/cgroup/memory/memory.limit_in_bytes"
        assert int(host.file(limit).content_string) == resources.memory_limit_bytes, name
        config = deployment.inspect(name)["HostConfig"]
        assert config["Memory"] == config["MemorySwap"] == resources.memory_limit_bytes, name
        assert config["MemoryReservation"] == resources.memory_reservation_bytes, name
        assert config["NanoCpus"] == resources.cpus * 1e9, name


def test_open_files_are_granted(deployment: Deployment) -> None:
    for name, wanted in placed(deployment).items():
        limits = deployment.host(part=name).file("/proc/1/limits").content_string
        line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
        assert line.split()[3:5] == [str(wanted.resources.open_files)] * 2, name


def test_no_process_has_rights(deployment: Deployment) -> None:
    for name in placed(deployment):
        there = processes(deployment, name)
        assert len(there) >= 2, (name, "a guard and its server", there)
        for status in there:
            who = (name, status["Name"])
            assert status["Uid"].split() == status["Gid"].split() == ["10001"] * 4, who
            assert {int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {0}, who
            assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2"), who


def test_docker_was_asked_for_no_privilege(deployment: Deployment) -> None:
    for name in placed(deployment):
        config = deployment.inspect(name)["HostConfig"]
        assert config["CapDrop"] == ["ALL"], name
        assert not config["CapAdd"], name
        assert config["SecurityOpt"] == ["no-new-privileges"], name
        assert (config["Privileged"], config["ReadonlyRootfs"], config["PublishAllPorts"]) == (False, True, False), name
        # Nothing of the host's: no namespace, no device, no path.
        modes = ("PidMode", "IpcMode", "UTSMode", "UsernsMode")
        assert "host" not in {config[mode] for mode in modes} | {config["NetworkMode"]}, name
        assert not config["Devices"], name
        assert not config["Binds"], name


@pytest.mark.parametrize(
    ("part", "closed", "open_"),
    [(API, "/run/cortex/secrets", ("/tmp", "/data/.cortex")), (GATEWAY, "/run/cortex/gateway", ("/tmp",))],
)
def test_root_is_read_only(deployment: Deployment, part: str, closed: str, open_: tuple[str, ...]) -> None:
    for place in ("/", "/opt/cortex", "/etc", "/run", closed):
        done = deployment.host("root", part).run(f"touch {place}/probe")
        assert done.rc != 0, place
        assert "Read-only file system" in done.stderr, place
    for place in open_:
        assert deployment.host(part=part).run(f"touch {place}/probe && rm {place}/probe").rc == 0, place


def test_mounts_are_the_store_and_the_files(deployment: Deployment) -> None:
    wanted = {
        API: {
            "/data": (deployment.volume, True),
            "/run/cortex/secrets": (f"cortex-{deployment.name}-api-secrets", False),
        },
        GATEWAY: {"/run/cortex/gateway": (f"cortex-{deployment.name}-gateway-files", False)},
        **backup_mounts(deployment),
    }
    for name, container in placed(deployment).items():
        inspected = deployment.inspect(name)
        mounts = {mount["Destination"]: (mount["Name"], mount["RW"]) for mount in inspected["Mounts"]}
        assert mounts == wanted[container.name], name
        options = inspected["HostConfig"]["Tmpfs"]
        assert list(options) == ["/tmp"], name
        for option in ("noexec", "nosuid", "nodev", "size="):
            assert option in options["/tmp"], (name, option)


def test_logs_rotate_and_the_server_comes_back(deployment: Deployment) -> None:
    for name in placed(deployment):
        config = deployment.inspect(name)["HostConfig"]
        assert config["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}}, name
        assert config["RestartPolicy"]["Name"] == "unless-stopped", name


def test_health_check_is_the_images_own(deployment: Deployment) -> None:
    judgements = {API: STORE_JUDGEMENTS, GATEWAY: BARE_JUDGEMENTS, BACKUP: BARE_JUDGEMENTS, DRILL: BARE_JUDGEMENTS}
    for name, wanted in placed(deployment).items():
        check: dict[str, Any] = deployment.inspect(name)["Config"]["Healthcheck"]
        assert check["Test"] == ["CMD", PROBE], name
        assert (check["Interval"], check["Timeout"]) == (SECOND_NS, SECOND_NS), name
        assert check["StartPeriod"] == wanted.health.start_period_s * SECOND_NS, name
        assert check["Retries"] == wanted.health.retries, name
        host = deployment.host(part=name)
        assert host.file(PROBE).mode & 0o111, name
        answer = json.loads(host.check_output(f"{PROBE} --json"))
        assert {judgement["name"] for judgement in answer["judgements"]} >= judgements[wanted.name], name


def test_stop_ends_in_order(deployment: Deployment) -> None:
    parts = deployment.parts()
    started = {name: deployment.inspect(name)["State"]["StartedAt"] for name in parts}
    assert sorted(deployment.stop()) == parts
    for name in parts:
        state = deployment.inspect(name)["State"]
        assert state["ExitCode"] == 0, name
        assert not state["OOMKilled"], name
    assert sorted(deployment.start_stopped()) == parts
    deployment.wait_healthy()
    assert all(deployment.inspect(name)["State"]["StartedAt"] > started[name] for name in parts)


def test_status_tells_what_is_used_and_allowed(deployment: Deployment) -> None:
    wanted = plan_of(deployment).store_group.server
    with deployment.client() as client:
        status = client.get("/v1/status").json()
    assert status["memory"]["of"] == "container"
    assert 0 < status["memory"]["used_bytes"] < status["memory"]["limit_bytes"] == wanted.resources.memory_limit_bytes
    assert status["sizing"] == json.loads(wanted.environment["CORTEX_SIZING"])
    assert status["versions"]["chroma"] == "1.5.9"
