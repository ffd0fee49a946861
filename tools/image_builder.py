"""Which BuildKit builds the images: Docker's own choice where its image can be pulled, else a daemon of our own.

The docker-build plugin refuses Docker's integrated builder and wants a container made of `moby/buildkit`. Where no hub
answers, `buildkitd` runs as a process on this host instead, and a builder instance file points to its socket.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from tools.commands import log_tail, pid_alive, start_daemon, succeeds, wait_until
from tools.errors import ToolError
from tools.locations import Locations, private_dir

NAME = "cortex"
CONTAINER_IMAGE = "moby/buildkit:buildx-stable-1"
PULL_LIMIT_S = 300.0
START_LIMIT_S = 30.0
# Layers and cache mounts of every image of the project come to about 4 GB (measured); the rest is old versions.
KEEP_BYTES = 8 * 1000**3
UNIX_SOCKET_LIMIT_BYTES = 100


def container_builder_possible(*, pull: bool) -> bool:
    """Whether Docker can have a container builder: its image is there, or (if `pull`) can be fetched.

    The daemon itself is asked to pull, because its mirrors and proxies decide, not this process's.
    """
    if succeeds(["docker", "image", "inspect", CONTAINER_IMAGE]):
        return True
    return pull and succeeds(["docker", "pull", "--quiet", CONTAINER_IMAGE], timeout_s=PULL_LIMIT_S)


def socket_path(where: Locations) -> Path:
    """Where the own daemon listens; in a short folder of its own where the state directory's name is too long."""
    path = where.run / "buildkitd.sock"
    if len(os.fsencode(path)) <= UNIX_SOCKET_LIMIT_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(where.state)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"cortex-{os.getuid()}-{digest}" / "buildkitd.sock"


def instance_file(where: Locations) -> Path:
    """The file that makes the own daemon known to buildx under the name `cortex`."""
    return where.buildx / "instances" / NAME


def own_builder(where: Locations) -> str | None:
    """Name of the own builder if it was set up on this host, else None."""
    return NAME if instance_file(where).is_file() else None


def answers(where: Locations, buildctl: Path) -> bool:
    """Whether the own daemon answers on its socket."""
    address = f"unix://{socket_path(where)}"
    return succeeds([str(buildctl), "--addr", address, "--timeout", "5", "debug", "workers"], timeout_s=10)


def ensure_own(where: Locations, *, buildkitd: Path, buildctl: Path) -> bool:
    """Runs the own daemon and writes its instance file; does nothing when it answers already.

    Returns:
        True if it had to be started.

    Raises:
        ToolError: runc is missing, this is not root on Linux, or the daemon does not answer in time.
    """
    started = False
    if not answers(where, buildctl):
        _start(where, buildkitd, buildctl)
        started = True
    write_instance(where)
    return started


def write_instance(where: Locations) -> None:
    """Writes the builder instance file, atomically, when it is missing or points elsewhere."""
    node = {
        "Name": f"{NAME}0",
        "Endpoint": f"unix://{socket_path(where)}",
        "Platforms": None,
        "DriverOpts": None,
        "Flags": None,
        "Files": None,
    }
    text = json.dumps({"Name": NAME, "Driver": "remote", "Nodes": [node], "Dynamic": False})
    path = instance_file(where)
    if path.is_file() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{NAME}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)


def _start(where: Locations, buildkitd: Path, buildctl: Path) -> None:
    if os.geteuid() != 0 or not Path("/proc/self/cgroup").exists():
        raise ToolError(
            f"no builder: Docker cannot pull {CONTAINER_IMAGE}, and an own buildkitd runs only on Linux as root. "
            "Let Docker pull from a mirror (`registry-mirrors` in daemon.json), or run as root on Linux"
        )
    if shutil.which("runc") is None:
        raise ToolError("no builder: `runc` is not installed; `apt-get install runc` (docker.io brings it)")
    socket, log, pid_file = socket_path(where), where.logs / "buildkitd.log", where.run / "buildkitd.pid"
    private_dir(socket.parent)
    private_dir(where.buildkit)
    pid = pid_alive(pid_file, "buildkitd")
    if pid is None:
        config = where.run / "buildkitd.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(daemon_config(where))
        pid = start_daemon([str(buildkitd), "--config", str(config)], log=log, pid_file=pid_file)
    if not wait_until(lambda: answers(where, buildctl), limit_s=START_LIMIT_S, pid=pid):
        raise ToolError(
            f"buildkitd did not answer within {START_LIMIT_S:.0f} s; the end of its log ({log}):\n{log_tail(log)}"
        )


def daemon_config(where: Locations) -> str:
    """buildkitd.toml: own root and socket, host network for build steps, a bounded cache."""
    return f"""\
root = {json.dumps(str(where.buildkit))}
insecure-entitlements = ["network.host"]

[grpc]
  address = [{json.dumps("unix://" + str(socket_path(where)))}]

[worker.containerd]
  enabled = false

[worker.oci]
  enabled = true
  networkMode = "host"
  gc = true
  maxUsedSpace = {KEEP_BYTES}

  [[worker.oci.gcpolicy]]
    all = true
    maxUsedSpace = {KEEP_BYTES}
"""
