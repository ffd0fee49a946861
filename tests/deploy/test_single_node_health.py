"""The health check turns red for memory, disk and a stopped API, and green again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from infra.topologies import parts
from tests.deploy.deployment import Deployment, server_pid, wait_for


@contextmanager
def background(deployment: Deployment, code: str) -> Iterator[None]:
    """Run Python inside the container until the block ends."""
    name = "/tmp/until-gone"
    host = deployment.host()
    host.check_output(f"touch {name}")
    deployment.docker(["exec", "--detach", deployment.container, "python3", "-c", code.replace("NAME", repr(name))])
    try:
        yield
    finally:
        host.check_output(f"rm {name}")


def wait_red(deployment: Deployment, culprit: str) -> None:
    wait_for(lambda: deployment.health() == "unhealthy", f"health to turn red for {culprit}", 60)
    entries = deployment.inspect()["State"]["Health"]["Log"]
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


def test_probe_tells_value_limit_and_verdict(deployment: Deployment) -> None:
    text = deployment.host().check_output(parts.PROBE)
    for name in ("server", "canary", "memory", "disk", "inodes"):
        line = next(line for line in text.splitlines() if name in line)
        assert "ok" in line
