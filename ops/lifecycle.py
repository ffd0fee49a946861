"""Up, preview, down, destroy, purge: how a stack comes and goes."""

from __future__ import annotations

import json

from rich.console import Console
from rich.markup import escape

from ops import backup, recovery_sheet
from ops.stack import Stack, StackError
from tools import stack_state

LOG_LINES = "15"


def ensure(stack: Stack) -> bool:
    """Make the stack known to the backend; nothing is written into the checkout.

    Returns:
        True if it was not known before.
    """
    return stack_state.ensure_stack(stack.name, stack.environment)


def up(stack: Stack, console: Console) -> None:
    """Bring the stack up and tell how to use it.

    Raises:
        StackError: Another state has a stack of this name here, and nothing was done; or Pulumi failed, and the
            last lines of its containers were shown.
    """
    if ensure(stack):
        _refuse_another_states(stack)
    for name in stack.start_stopped():
        console.print(f"started {name}")
    try:
        stack.pulumi(["up", "--yes", "--skip-preview", "--suppress-outputs"])
    except StackError:
        _show_logs(stack, console)
        raise
    _say_what_next(stack, console)


def _refuse_another_states(stack: Stack) -> None:
    there = [name for running in (True, False) for name in stack.containers(running=running)]
    if there:
        stack.ask_pulumi(["stack", "rm", "--yes", "--preserve-config"])
        raise StackError(
            f"there are containers of a stack {stack.name} that this state knows nothing of: {', '.join(there)}. "
            "Use the state that made them (CORTEX_STATE_DIR, PULUMI_BACKEND_URL), or another name for the stack; "
            f"if it is lost, `docker rm --force {' '.join(there)}` and {stack.make('up')} take over the store's volume"
        )


def preview(stack: Stack, *, expect_no_changes: bool) -> None:
    """Show what `up` would change."""
    ensure(stack)
    stack.pulumi(["preview", *(["--expect-no-changes"] if expect_no_changes else [])])


def down(stack: Stack, console: Console) -> None:
    """Stop the containers; everything stays."""
    stopped = stack.stop()
    console.print(f"stopped {', '.join(stopped)}; the data is kept" if stopped else "nothing was running")
    console.print(f"next: {stack.make('up')} starts it again")


def destroy(stack: Stack, console: Console, *, with_base: bool = True) -> None:
    """Remove everything that is not protected: store, backups and the key to them stay.

    Args:
        stack: The stack.
        console: For the reader.
        with_base: Take a last base first, and read it back.

    Raises:
        StackError: The last base could not be taken, and nothing was removed; or Pulumi failed.
    """
    ensure(stack)
    if with_base:
        _last_base(stack, console, "nothing was removed; `cortex destroy --no-base` does without")
    stack.pulumi(["destroy", "--yes", "--skip-preview", "--exclude-protected"])
    console.print(f"the store is kept in Docker volume {stack.volume}; backups are kept")
    console.print(f"next: {stack.make('up')} brings the stack back with its data, {stack.make('purge')} deletes it")


def purge(stack: Stack, console: Console, *, with_base: bool = True) -> None:
    """Remove the stack, its store and its state. Backups stay, and with them the key is told.

    Args:
        stack: The stack.
        console: For the reader.
        with_base: Take a last base first, and read it back.

    Raises:
        StackError: The last base could not be taken, and nothing was removed; or Pulumi failed.
    """
    ensure(stack)
    has_backups = bool(stack.outputs.get("backup"))
    if with_base:
        _last_base(stack, console, "nothing was removed; `cortex purge --no-base` does without")
    sheet = recovery_sheet.sheet(stack) if has_backups else ""
    # Before what tells them is gone.
    hosts = stack.hosts(deployed=True)
    stack.pulumi(["state", "unprotect", "--all", "--yes"])
    stack.pulumi(["destroy", "--yes", "--skip-preview"])
    # Retained by Pulumi on purpose: deleting data is said here, and nowhere else.
    for host in hosts:
        host.docker(["volume", "rm", "--force", stack.volume])
    stack.pulumi(["stack", "rm", "--yes", "--preserve-config"])
    console.print(f"stack {stack.name} and its data are gone")
    if sheet:
        console.print("its backups are kept, and this is the last time that their key is shown:\n")
        print(sheet)


def _last_base(stack: Stack, console: Console, otherwise: str) -> None:
    """Take a last base where the stack has backups."""
    if not stack.outputs.get("backup"):
        return
    for name in stack.start_stopped():
        console.print(f"started {name}")
    console.print("taking a last base, and reading it back ...")
    try:
        taken = json.loads(backup.last_base(stack))
    except StackError as error:
        raise StackError(f"{error}; {otherwise}", error.code) from None
    console.print(f"base {taken['id'][:8]} has {taken['records']:,} records, and was read back")


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
        certificate = (
            f"\n  trust    make -s ca{stack.for_make} > cortex-ca.pem   (the certificate that clients must trust)"
        )
    console.print(
        f"""
[bold green]stack {stack.name} is up[/bold green]
  URL      {url}   (try {url}/docs in a browser)
  token    {stack.make("token")} prints it; it is an encrypted output of the stack{certificate}
  try      curl -s{trust} -H "Authorization: Bearer $(make -s token{stack.for_make})" {url}/v1/status
  next     {stack.make("demo")} indexes real texts and searches them; {stack.make("status")}, `make help`"""
    )
