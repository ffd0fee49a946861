"""`cortex restore`: a backup of the stack into a directory, or in place of its data."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from infra.topologies.backup import BACKUP, SCRATCH_PATH
from infra.topologies.parts import STORE_PATH
from ops import contained
from ops.alone import alone
from ops.backup import PROGRAM
from ops.docker_host import DockerHost
from ops.stack import STOP_LIMIT_S, Stack, StackError
from tools import pulumi_cli

COPY_LIMIT_S = 3_600
_RESTORED = f"{SCRATCH_PATH}/restored"


def into_directory(stack: Stack, to: str, folder: Path) -> int:
    """Restore into a directory of this machine; the stack goes on.

    It is put together in a volume, as the user that may read backups, and then copied out: whoever asks owns the files,
    and the store may be on another host.

    Args:
        stack: The stack.
        to: What to restore.
        folder: Where; made if it is missing.

    Returns:
        The exit code of the restore.

    Raises:
        StackError: The directory is not empty, the stack is not up, or has no backups.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StackError(f"{folder} is not an empty directory: a restore never writes over anything")
    archiver, host = _archiver(stack)
    name = f"{archiver}-restore-{secrets.token_hex(4)}"
    mounted = ["--volumes-from", f"{archiver}:ro", "--mount", f"type=volume,target={SCRATCH_PATH}"]
    try:
        code = _run(host, archiver, ["--name", name, *mounted], ["restore", "--to", to, "--into", _RESTORED], keep=True)
        if not code:
            folder.mkdir(parents=True, exist_ok=True)
            host.docker(["cp", f"{name}:{_RESTORED}/.", str(folder)], COPY_LIMIT_S)
    finally:
        host.try_docker(["rm", "--force", "--volumes", name], STOP_LIMIT_S)
    return code


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
    with alone(stack):
        return _run(host, name, ["--volumes-from", name], ["restore", "--to", to, "--into", STORE_PATH, "--force"])


def _archiver(stack: Stack) -> tuple[str, DockerHost]:
    stack.output("container")
    name = stack.container(BACKUP)
    return name, stack.host_of(name)


def _run(
    host: DockerHost, archiver: str, options: Sequence[str], arguments: Sequence[str], *, keep: bool = False
) -> int:
    """Run the backup program as the archiver does, with its image, files and networks."""
    found = contained.inspected(host, archiver)
    networks = list(found["NetworkSettings"]["Networks"])
    command = contained.command(
        found["Image"],
        [*PROGRAM, *arguments],
        user=found["Config"]["User"],
        network=networks[0] if networks else "none",
        options=["--interactive", *options],
        keep=keep,
    )
    with host.environment() as environ:
        return pulumi_cli.foreground(command, environ, program=["docker"])
