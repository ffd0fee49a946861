"""`cortex restore`: a backup of the stack into a directory, or in place of its data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra import names
from infra.one_shot import TMPFS_BYTES
from infra.topologies.backup import BACKUP, DRILL
from infra.topologies.parts import STORE_PATH
from ops.backup import PROGRAM
from ops.docker_host import DockerHost
from ops.stack import Stack, StackError
from tools import pulumi_cli

_INTO = "/restored"
_SCRATCH = ".cortex/scratch"


def into_directory(stack: Stack, to: str, folder: Path) -> int:
    """Restore into a directory of the host; the stack goes on.

    Args:
        stack: The stack.
        to: What to restore.
        folder: Where; made if it is missing.

    Returns:
        The exit code of the restore.

    Raises:
        StackError: The stack is not up, has no backups, or has its store on another host.
    """
    name, host = _archiver(stack)
    if host.endpoint is not None:
        raise StackError(f"the backups are read on the store's own host ({host.endpoint.docker}); restore there")
    user = _inspected(host, name)["Config"]["User"]
    folder = folder.resolve()
    (folder / _SCRATCH).mkdir(parents=True, exist_ok=True)
    mounted = ["--volumes-from", f"{name}:ro", "--mount", f"type=bind,source={folder},target={_INTO}"]
    # The directory belongs to whoever asked, and so does what is made in it.
    owner = f"{folder.stat().st_uid}:{user.partition(':')[2]}"
    options = [*mounted, "--env", f"BACKUP_SCRATCH={_INTO}/{_SCRATCH}"]
    return _run(host, name, options, ["restore", "--to", to, "--into", _INTO], owner)


def in_place(stack: Stack, to: str) -> int:
    """Restore in place of the stack's data, which is moved aside within the store's volume first.

    Args:
        stack: The stack.
        to: What to restore.

    Returns:
        The exit code of the restore. The stack runs again whatever came of it: what was there stays until the end.

    Raises:
        StackError: The stack is not up, or has no backups.
    """
    name, host = _archiver(stack)
    server = stack.output("container")
    stopped = [each for each in (server, name, names.on_host(stack.name, DRILL)) if each in stack.parts()]
    user = _inspected(host, name)["Config"]["User"]
    host.docker(["stop", *stopped], 600)
    try:
        return _run(
            host, name, ["--volumes-from", name], ["restore", "--to", to, "--into", STORE_PATH, "--force"], user
        )
    finally:
        host.docker(["start", *stopped], 600)


def _archiver(stack: Stack) -> tuple[str, DockerHost]:
    stack.output("container")
    name = stack.container(BACKUP)
    return name, stack.host_of(name)


def _inspected(host: DockerHost, name: str) -> dict[str, Any]:
    (found,) = json.loads(host.docker(["inspect", name]))
    return dict(found)


def _run(host: DockerHost, archiver: str, options: Sequence[str], arguments: Sequence[str], user: str) -> int:
    """Run the backup program with the archiver's image, files and networks."""
    found = _inspected(host, archiver)
    networks = list(found["NetworkSettings"]["Networks"])
    command = [
        *("run", "--rm", "--interactive", "--user", user, "--read-only", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--log-driver", "none"),
        *("--tmpfs", f"/tmp:rw,noexec,nosuid,nodev,size={TMPFS_BYTES}"),  # noqa: S108 - a mount
        *("--network", networks[0] if networks else "none"),
        *options,
        *("--entrypoint", PROGRAM[0], found["Image"], *PROGRAM[1:], *arguments),
    ]
    with host.environment() as environ:
        return pulumi_cli.foreground(command, environ, program=["docker"])
