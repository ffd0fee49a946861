"""The health checks turn red for memory, disk and stopped processes, and green again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.topologies.parts import API, GATEWAY, PROBE
from tests.deploy.deployment import Deployment, server_pid, wait_for


@contextmanager
def background(deployment: Deployment, code: str) -> Iterator[None]:
    """Run Python inside the container until the block ends."""
    name = "/tmp/until-gone"
    host = deployment.host()
    host.check_output(f"touch {name}")
    deployment.docker(["exec", "--detach", deployment.container(), "python3", "-c", code.replace("NAME", repr(name))])
    try:
        yield
    finally:
        host.check_output(f"rm {name}")


def wait_red(deployment: Deployment, culprit: str, part: str = API) -> None:
    wait_for(lambda: deployment.health(part) == "unhealthy", f"health of the {part} to turn red for {culprit}", 60)
    entries = deployment.inspect(part)["State"]["Health"]["Log"]
    failing = [entry["Output"] for entry in entries if entry["ExitCode"] == 1]
    assert failing, entries
    headlines = [output.partition("\n")[0] for output in failing]
    assert any(culprit in headline for headline in headlines), failing


def test_memory_turns_it_red(deployment: Deployment) -> None:
    deployment.wait_healthy()
    limit = deployment.inspect()["HostConfig"]["Memory"]
    hold = (
        "import os,time,re\n"
        "stat='/sys/fs/cgroup/memory.current'\n"
        "stat=stat if os.path.exists(stat) else '/sys/fs/cgroup/memory/memory.usage_in_bytes'\n"
        "held=[]\n"
        f"while int(open(stat).read()) < {limit} * 0.90: held.append(bytearray(os.urandom(1<<20)))\n"
        "while os.path.exists(NAME): time.sleep(0.2)\n"
    )
    with background(deployment, hold):
        wait_red(deployment, "memory")
    deployment.wait_healthy()
    assert not deployment.inspect()["State"]["OOMKilled"]


def test_disk_turns_it_red(deployment: Deployment) -> None:
    deployment.wait_healthy()
    planned = int(deployment.host().environment()["HEALTH_STORE_BYTES"])
    host = deployment.host()
    host.check_output(f"fallocate -l {planned * 82 // 100} /data/.cortex/filler")
    try:
        wait_red(deployment, "disk")
    finally:
        host.check_output("rm /data/.cortex/filler")
    deployment.wait_healthy()


def test_a_stopped_process_turns_it_red(deployment: Deployment) -> None:
    for process, culprit in ((server_pid(deployment), "server"), (deployment.inspect()["State"]["Pid"], "guard")):
        deployment.wait_healthy()
        os.kill(process, signal.SIGSTOP)
        try:
            wait_red(deployment, culprit)
        finally:
            os.kill(process, signal.SIGCONT)
        deployment.wait_healthy()


def test_a_stopped_process_of_the_gateway_turns_it_red(deployment: Deployment) -> None:
    deployment.wait_healthy()
    guard = deployment.inspect(GATEWAY)["State"]["Pid"]
    lines = deployment.docker(["top", deployment.container(GATEWAY), "-o", "pid,args"]).splitlines()[1:]
    haproxy = [int(pid) for pid, command in (line.split(maxsplit=1) for line in lines) if command.startswith("haproxy")]
    assert len(haproxy) >= 2, ("a master and its worker", lines)
    for processes, culprit in ((haproxy, "server"), ([guard], "guard")):
        deployment.wait_healthy()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            wait_red(deployment, culprit, GATEWAY)
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)
    deployment.wait_healthy()


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (API, ("server", "canary", "memory", "disk", "inodes")),
        (GATEWAY, ("server", "memory", "open_files", "certificate")),
    ],
)
def test_probe_tells_value_limit_and_verdict(deployment: Deployment, part: str, names: tuple[str, ...]) -> None:
    deployment.wait_healthy()
    text = deployment.host(part=part).check_output(PROBE)
    for name in names:
        line = next(line for line in text.splitlines() if name in line)
        assert "ok" in line, text
