"""`cortex status`: one screen that tells how a stack is."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops import health
from ops.stack import Stack

COLOURS = {"ok": "green", "healthy": "green", "failing": "red", "unhealthy": "red", "starting": "yellow"}


def show(stack: Stack, console: Console) -> bool:
    """Print the stack's state.

    Returns:
        Whether its server runs and is healthy.

    Raises:
        StackError: The stack is not up.
    """
    state = health.look(stack, stack.output("container"))
    console.print(f"stack [bold]{stack.name}[/bold]  {stack.output('url')}  volume {stack.output('volume')}")
    console.print(
        f"container {state.name}  {state.status}  {_coloured(state.health)}  "
        f"{state.restarts} restart{'s' if state.restarts != 1 else ''}"
    )
    if state.judgements:
        table = Table("judgement", "verdict", "what was found", box=None, pad_edge=False)
        for judgement in state.judgements:
            table.add_row(judgement["name"], _coloured(judgement["verdict"]), escape(judgement["message"]))
        console.print(table)
    else:
        console.print("next: `make up` starts it, `make logs` shows why it ended")
    return state.status == "running" and state.health == "healthy"


def _coloured(word: str) -> str:
    colour = COLOURS.get(word)
    return f"[{colour}]{word}[/{colour}]" if colour else word
