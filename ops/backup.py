"""`cortex backup`, `cortex drill`: what the archiver's and the drill's containers are asked to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from infra.topologies.backup import BACKUP, DRILL
from ops.stack import Stack, StackError
from tools import pulumi_cli

PROGRAM = ("python3", "-m", "backup")
PATIENT = ("--wait-s", "600")
"""The archiver's own bases, checks and removals come first."""


def ask(stack: Stack, container: str, arguments: Sequence[str]) -> int:
    """Run the backup program in one of the stack's containers; its output is the user's.

    Args:
        stack: The stack.
        container: `BACKUP` or `DRILL`.
        arguments: Of the program.

    Returns:
        Its exit code.

    Raises:
        StackError: The stack is not up, or has no such container.
    """
    stack.output("container")
    try:
        name = stack.container(container)
    except StackError as error:
        raise StackError(f"{error}. Are there backups (cortex:backup.target), and drills?") from None
    host = stack.host_of(name)
    # A terminal of its own shows the bars; without one the lines of a log come.
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    with host.environment() as environ:
        command = ["exec", "--interactive", *terminal, name, *PROGRAM, *arguments]
        return pulumi_cli.foreground(command, environ, program=["docker"])


def last_base(stack: Stack) -> str:
    """Take a base now, and have everything of it read back by `restic`; what the archiver says of it, one line of JSON.

    Raises:
        StackError: It could not be taken, or is not whole.
    """
    name = stack.container(BACKUP)
    host = stack.host_of(name)
    for arguments in (("now", "--json", *PATIENT), ("check", "--read-all", "--json", *PATIENT)):
        with host.environment() as environ:
            done = subprocess.run(
                ["docker", "exec", name, *PROGRAM, *arguments],
                env=environ,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
        if done.returncode:
            raise StackError(f"`backup {arguments[0]}` failed in {name} (exit code {done.returncode})", done.returncode)
        if arguments[0] == "now":
            said = done.stdout.strip()
    return said


__all__ = ["BACKUP", "DRILL", "ask", "last_base"]
