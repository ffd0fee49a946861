"""Up, preview, down, destroy, purge: how a stack comes and goes."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from ops.stack import Stack, StackError
from tools import stack_state

LOG_LINES = "15"


def ensure(stack: Stack) -> None:
    """Make the stack known to the backend; nothing is written into the checkout."""
    stack_state.ensure_stack(stack.name, stack.environment)


def up(stack: Stack, console: Console) -> None:
    """Bring the stack up and tell how to use it.

    Raises:
        StackError: Pulumi failed. Has shown the server's last log lines, when there is a server.
    """
    ensure(stack)
    for name in stack.start_stopped():
        console.print(f"started {name}")
    try:
        stack.pulumi(["up", "--yes", "--skip-preview", "--suppress-outputs"])
    except StackError:
        _show_logs(stack, console)
        raise
    _say_what_next(stack, console)


def preview(stack: Stack, *, expect_no_changes: bool) -> None:
    """Show what `up` would change."""
    ensure(stack)
    stack.pulumi(["preview", *(["--expect-no-changes"] if expect_no_changes else [])])


def down(stack: Stack, console: Console) -> None:
    """Stop the containers; everything stays."""
    stopped = stack.stop()
    console.print(f"stopped {', '.join(stopped)}; the data is kept" if stopped else "nothing was running")
    console.print("next: `make up` starts it again")


def destroy(stack: Stack, console: Console) -> None:
    """Remove everything that is not protected: the store stays, in Docker and in the state."""
    ensure(stack)
    stack.pulumi(["destroy", "--yes", "--skip-preview", "--exclude-protected"])
    console.print(f"the store is kept in Docker volume {stack.volume}")
    console.print("next: `make up` brings the stack back with its data, `make purge` deletes it")


def purge(stack: Stack, console: Console) -> None:
    """Remove the stack, its store and its state."""
    ensure(stack)
    # Before what tells them is gone.
    hosts = stack.hosts(deployed=True)
    stack.pulumi(["state", "unprotect", "--all", "--yes"])
    stack.pulumi(["destroy", "--yes", "--skip-preview"])
    # Retained by Pulumi on purpose: deleting data is said here, and nowhere else.
    for host in hosts:
        host.docker(["volume", "rm", "--force", stack.volume])
    stack.pulumi(["stack", "rm", "--yes", "--preserve-config"])
    console.print(f"stack {stack.name} and its data are gone")


def _show_logs(stack: Stack, console: Console) -> None:
    for host in stack.hosts():
        for name in (*host.containers(stack.name, running=True), *host.containers(stack.name, running=False)):
            text = host.docker(["logs", "--tail", LOG_LINES, name]).strip()
            if text:
                console.print(f"[bold]last lines of {name}:[/bold]\n{escape(text)}")


def _say_what_next(stack: Stack, console: Console) -> None:
    url = stack.output("url")
    trust, certificate = "", ""
    if stack.authority is not None:
        trust = " --cacert cortex-ca.pem"
        certificate = "\n  trust    make -s ca > cortex-ca.pem   (the certificate that clients must trust)"
    console.print(
        f"""
[bold green]stack {stack.name} is up[/bold green]
  URL      {url}   (try {url}/docs in a browser)
  token    `make token` prints it; it is an encrypted output of the stack{certificate}
  try      curl -s{trust} -H "Authorization: Bearer $(make -s token)" {url}/v1/status
  next     `make demo` indexes real texts and searches them; `make status`, `make logs`, `make help`"""
    )
