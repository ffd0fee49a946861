"""Is a Docker daemon answering, and if not, can this machine be given one?"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.commands import log_tail, pid_alive, run, start_daemon, succeeds, wait_until
from tools.errors import ToolError
from tools.host import Host, host_of
from tools.locations import Locations
from tools.progress import Step

START_LIMIT_S = 60.0
INSTALL_LIMIT_S = 900.0
# Image layers twice (builder and daemon), the toolchain and a first small store; measured: 6 GiB, and room to breathe.
NEEDED_DISK_BYTES = 10 * 1024**3
OLDEST_MAJOR = 20


@dataclass(frozen=True, slots=True)
class Engine:
    """A daemon that answers.

    Attributes:
        version: Its version, `20.10.24+dfsg1`.
        root: Its data directory as the daemon names it (on a remote or virtual machine: not a path here).
        machine: Its processor as `uname` names it, `x86_64`.
        host: The endpoint, or empty for the client's default.
    """

    version: str
    root: str
    machine: str
    host: str

    @property
    def containers(self) -> Host:
        """What its containers run on: Linux, also where this machine is none.

        Raises:
            ToolError: A processor other than amd64 and arm64.
        """
        return host_of("Linux", self.machine)


def docker_host() -> str:
    """The endpoint that plain Docker clients on this machine use, empty for the default socket.

    The Docker plugin of Pulumi follows DOCKER_HOST but not `docker context`, which is how Docker Desktop,
    Colima and others publish their socket; so the current context is looked up here.
    """
    if host := os.environ.get("DOCKER_HOST"):
        return host
    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        chosen = os.environ.get("DOCKER_CONTEXT") or json.loads(config.read_text()).get("currentContext", "")
    except (OSError, ValueError):
        chosen = os.environ.get("DOCKER_CONTEXT", "")
    if chosen in {"", "default"}:
        return ""
    template = "{{.Endpoints.docker.Host}}"
    return run(["docker", "context", "inspect", chosen, "--format", template], what="Docker context").strip()


def find() -> Engine | None:
    """The daemon that answers now, or None."""
    host = docker_host()
    env = {**os.environ, **({"DOCKER_HOST": host} if host else {})}
    try:
        out = run(
            ["docker", "info", "--format", "{{.ServerVersion}}\t{{.DockerRootDir}}\t{{.Architecture}}"],
            what="docker",
            timeout_s=15,
            env=env,
        )
    except ToolError:
        return None
    # Newer clients end with 0 and an empty answer when the daemon is away.
    if not out.strip():
        return None
    version, root, machine = out.strip().split("\t")
    return Engine(version, root, machine, host)


def ensure(where: Locations, step: Step) -> Engine:
    """A daemon that answers; on Debian and Ubuntu as root it is installed and started when there is none.

    Raises:
        ToolError: There is none and none can be started here, or it is too old, or its disk is too full.
    """
    engine = find()
    if engine is None:
        if host := docker_host():
            raise ToolError(
                f"no Docker daemon answers at {host} (set by DOCKER_HOST or the current docker context); "
                "start it, or unset the variable to use this machine's own"
            )
        if not installable():
            raise ToolError(f"no Docker daemon answers; {remedy()}")
        if shutil.which("dockerd") is None:
            step.doing = "installing docker.io"
            install(["docker.io"])
        step.doing = "starting the daemon"
        _start(where)
        engine = find()
        if engine is None:
            raise ToolError(f"the Docker daemon started but does not answer; see {where.logs / 'dockerd.log'}")
    if int(engine.version.partition(".")[0]) < OLDEST_MAJOR:
        raise ToolError(f"the Docker daemon is version {engine.version}; {OLDEST_MAJOR}.10 or newer is needed")
    _require_disk(Path(engine.root) if engine.host == "" else None, where.cache)
    return engine


def install(packages: list[str]) -> None:
    """Installs Debian packages without questions or extras.

    Raises:
        ToolError: apt failed; carries the end of its output.
    """
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
    wait = ["-o", "DPkg::Lock::Timeout=120"]
    apt = ["apt-get", "-q", "-y", *wait, "install", "--no-install-recommends", *packages]
    what = f"installing {' '.join(packages)}"
    if not succeeds(apt, timeout_s=INSTALL_LIMIT_S, env=env):
        # The lists may be missing (fresh container) or stale (a package was superseded): once more with new ones.
        run(["apt-get", "-q", *wait, "update"], what=what, timeout_s=INSTALL_LIMIT_S, env=env)
        run(apt, what=what, timeout_s=INSTALL_LIMIT_S, env=env)


def is_debian() -> bool:
    """Debian, Ubuntu or a derivative: apt installs what is missing."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return False
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    family = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    return "debian" in family


def installable() -> bool:
    """Whether this process may install and start a daemon."""
    return is_debian() and os.geteuid() == 0


def remedy() -> str:
    """What the user can do where it may not."""
    if is_debian():
        fix = "run `sudo apt-get install docker.io`, add yourself to the group `docker`, and log in again"
    elif Path("/etc/os-release").exists():
        fix = "install Docker Engine from your distribution and start it (`sudo systemctl start docker`)"
    else:
        fix = "install Docker Desktop, OrbStack or Colima and start it"
    return f"{fix}. If one runs elsewhere, set DOCKER_HOST to it"


def _start(where: Locations) -> None:
    if Path("/run/systemd/system").is_dir():
        run(["systemctl", "enable", "--now", "docker"], what="starting Docker", timeout_s=START_LIMIT_S)
        wait_until(lambda: find() is not None, limit_s=START_LIMIT_S)
        return
    log, pid_file = where.logs / "dockerd.log", where.run / "dockerd.pid"
    pid = pid_alive(pid_file, "dockerd")
    if pid is None:
        pid = start_daemon(["dockerd"], log=log, pid_file=pid_file)
    if not wait_until(lambda: find() is not None, limit_s=START_LIMIT_S, pid=pid):
        raise ToolError(
            f"dockerd did not answer within {START_LIMIT_S:.0f} s; the end of its log ({log}):\n{log_tail(log)}"
        )


def _require_disk(*paths: Path | None) -> None:
    for path in paths:
        existing = path
        while existing is not None and not existing.exists():
            existing = existing.parent
        if existing is None:
            continue
        free = shutil.disk_usage(existing).free
        if free < NEEDED_DISK_BYTES:
            raise ToolError(
                f"{free / 1024**3:.1f} GiB free on the disk of {path}; {NEEDED_DISK_BYTES / 1024**3:.0f} GiB are "
                "needed for images and tools. Free some (`docker system prune`), or move the cache (CORTEX_CACHE_DIR)"
            )
