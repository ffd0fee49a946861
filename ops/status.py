"""`cortex status`: one screen that tells how a stack is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops import health
from ops.stack import Stack

COLOURS = {
    "ok": "green",
    "healthy": "green",
    "degraded": "yellow",
    "starting": "yellow",
    "failing": "red",
    "failed": "red",
    "unhealthy": "red",
}
ACTIONS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Status:
    """How a stack is.

    Attributes:
        stack: Which one.
        containers: Each as Docker and its own guard see it.
        server: Name of the one with the store.
    """

    stack: Stack
    containers: tuple[health.ContainerState, ...]
    server: str

    @property
    def is_well(self) -> bool:
        """Whether all of them run and are healthy."""
        return all(each.status == "running" and each.health == "healthy" for each in self.containers)

    def as_record(self) -> dict[str, Any]:
        """As JSON."""
        outputs = self.stack.outputs
        return {
            "stack": self.stack.name,
            "well": self.is_well,
            **{key: outputs.get(key) for key in ("url", "volume", "certificate_ends")},
            "server": self.server,
            "containers": [asdict(each) for each in self.containers],
        }


def look(stack: Stack) -> Status:
    """Ask every container.

    Raises:
        StackError: The stack is not up.
    """
    server = stack.output("container")
    return Status(stack, tuple(health.look(stack, name) for name in stack.parts()), server)


def show(found: Status, console: Console) -> None:
    """Print it: every container, and what the store's guard says."""
    stack, states = found.stack, found.containers
    console.print(f"stack [bold]{stack.name}[/bold]  {stack.output('url')}  volume {stack.output('volume')}")
    if ends := stack.outputs.get("certificate_ends"):
        console.print(f"certificate until {ends}; {stack.make('up')} renews it")
    table = Table("container", "status", "health", "restarts", box=None, pad_edge=False)
    for state in states:
        table.add_row(state.name, state.status, _coloured(state.health), str(state.restarts))
    console.print(table)
    (holder,) = (state for state in states if state.name == found.server)
    if holder.said:
        _guard(holder.said, console)
    for state in states:
        if state is not holder:
            _others(state, console)
    if any(state.status != "running" for state in states):
        look = stack.make("logs CONTAINER=...")
        console.print(f"next: {stack.make('up')} starts what is stopped, {look} shows why it ended")


def _others(state: health.ContainerState, console: Console) -> None:
    """What the guard of a container without a store finds wrong."""
    for judgement in state.said.get("judgements", ()):
        if judgement["verdict"] != "ok":
            console.print(
                f"{state.name}  {judgement['name']}  {_coloured(judgement['verdict'])}  {escape(judgement['message'])}"
            )


def _guard(said: dict[str, Any], console: Console) -> None:
    """What the guard says: what it is doing, whether writes are taken, its judgements, and what it did last."""
    if problem := said.get("problem"):
        console.print(f"guard  [red]{escape(str(problem))}[/red]")
        return
    writable = said["writable"]
    console.print(
        f"guard  {escape(' '.join(filter(None, (said['phase'], said.get('phase_message', '')))))}  "
        + ("writable" if writable["ok"] else f"[red]not writable: {escape(writable['reason'])}[/red]")
    )
    table = Table("judgement", "verdict", box=None, pad_edge=False)
    table.add_column("value", justify="right")
    table.add_column("what was found")
    for judgement in said["judgements"]:
        table.add_row(
            judgement["name"], _coloured(judgement["verdict"]), _value(judgement), escape(judgement["message"])
        )
    console.print(table)
    for action in said["actions"][-ACTIONS_SHOWN:]:
        console.print(
            f"{action['at']}  {action['action']}  {escape(str(action['reason']))}  "
            f"{_coloured(action['outcome'])}  {action['took_s']:.1f} s"
        )


def _value(judgement: dict[str, Any]) -> str:
    value = judgement["value"]
    return "" if value is None else f"{value:,.10g} {judgement['unit']}".rstrip()


def _coloured(word: str) -> str:
    colour = COLOURS.get(word)
    return f"[{colour}]{word}[/{colour}]" if colour else word
