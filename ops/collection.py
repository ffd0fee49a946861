"""`cortex restore --collection`: one collection of a backup into the running stack, under another name."""

from __future__ import annotations

import json
import subprocess

from rich.console import Console

from infra.topologies.backup import BACKUP
from ops import loading
from ops.backup import PROGRAM
from ops.stack import Stack, StackError


def restore(stack: Stack, to: str, collection: str, name: str, console: Console) -> None:
    """Bring it back; what the stack has now stays as it is.

    Args:
        stack: The stack.
        to: What to restore from.
        collection: Its name in the backup.
        name: Its new name, which no collection of the stack has.
        console: For the reader.

    Raises:
        StackError: There is no such collection, the name is taken, or not all of it could be written.
    """
    stack.output("container")
    archiver = stack.container(BACKUP)
    host = stack.host_of(archiver)
    command = ["docker", "exec", archiver, *PROGRAM, "export", "--to", to, "--collection", collection]
    with (
        host.environment() as environ,
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as exporting,
        loading.client(stack) as api,
    ):
        assert exporting.stdout is not None  # noqa: S101 (it is a pipe)
        first = exporting.stdout.readline()
        if not first:
            raise StackError("nothing was restored", exporting.wait() or 1)
        found = json.loads(first)
        loading.make(api, name, found)
        console.print(f"writing {found['records']:,} records into {name}")
        written = loading.load(api, name, exporting.stdout)
        if exporting.wait() or written != found["records"]:
            raise StackError(f"{written:,} of {found['records']:,} records are in {name}; delete it, and try again", 1)
    console.print(f"{name} has all {written:,} records of {collection}")
