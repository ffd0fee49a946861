"""`cortex import`: an existing Chroma becomes a stack's data."""

from __future__ import annotations

from rich.console import Console

from ops.errors import StackError
from ops.importing import from_files, from_server, sources
from ops.importing.bars import bars
from ops.importing.from_server import Access
from ops.importing.outcome import Outcome
from ops.stack import Stack

__all__ = ["Access", "Outcome", "run"]


def run(stack: Stack, source: str, access: Access, console: Console, *, force: bool = False) -> Outcome:
    """Import what `source` names.

    Args:
        stack: The stack, up.
        source: A directory, `volume:NAME`, or a server's address.
        access: How to get into a server.
        console: For progress.
        force: Move data that the stack has aside first; of no use for a server, whose collections are added.

    Raises:
        StackError: It cannot be imported; the stack has what it had.
    """
    found = sources.read(source)
    stack.output("container")
    with bars(console) as shown:
        if not isinstance(found, sources.Server):
            return from_files.run(stack, found, shown, force=force)
        if force:
            raise StackError("--force is for directories and volumes: collections of a server never replace any")
        return from_server.run(stack, found, access, shown)
