"""`cortex tokens`: who may do what, without the tokens themselves."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from ops.stack import Stack


def record(stack: Stack) -> dict[str, Any]:
    """What each token is for: role, end (ISO 8601), reach, generations.

    Raises:
        StackError: The stack is not up, or an older version made it.
    """
    stack.output("rights")
    rights: dict[str, Any] = stack.outputs["rights"]
    return rights


def show(stack: Stack, console: Console) -> None:
    """Print it as a table."""
    table = Table("token", "role", "ends", "reach", "generations", box=None, pad_edge=False)
    for name, token in record(stack).items():
        reach = ", ".join(token["reach"]) or "everything"
        table.add_row(
            name, token["role"], token["expires"] or "never", reach, ", ".join(map(str, token["generations"]))
        )
    console.print(table)
    console.print(f"{stack.make('token NAME=...')} prints one")
