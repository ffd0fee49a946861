"""The `cortex` command line. Each command here is a line in `make help`; what it does lives in its own module."""

from __future__ import annotations

import json as jsons
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from infra.settings import SettingsError
from ops import backup, importing, lifecycle, recovery_sheet, restoring, size, status, tokens
from ops import collection as one_collection
from ops import demo as demo_data
from ops.stack import DEV, Stack, StackError
from tools import environment, pulumi_cli, setup
from tools.errors import ToolError
from tools.progress import Progress

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
backup_app = typer.Typer(no_args_is_help=True, help="Bases and archive: take, list, check.")
app.add_typer(backup_app, name="backup")
console = Console(stderr=True, highlight=False, soft_wrap=True)

StackName = Annotated[str, typer.Option("--stack", "-s", envvar="CORTEX_STACK", help="Name of the stack.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
LastBase = Annotated[bool, typer.Option("--base/--no-base", help="Take a last base first, and read it back.")]


@contextmanager
def _told() -> Iterator[None]:
    """Turn what can go wrong into one message and an exit code."""
    try:
        yield
    except StackError as error:
        console.print(f"[red]error:[/red] {escape(str(error))}")
        raise typer.Exit(error.code) from None
    except (SettingsError, ToolError) as error:
        console.print(f"[red]error:[/red] {escape(str(error))}")
        raise typer.Exit(1) from None


def _stack(name: str) -> Stack:
    return Stack(name, environment.environment())


@app.command()
def up(stack: StackName = DEV) -> None:
    """Bring the stack up, set-up included; run again, it changes nothing."""
    with _told():
        setup.up(Progress(console))
        lifecycle.up(_stack(stack), console)


@app.command()
def preview(
    stack: StackName = DEV,
    expect_no_changes: Annotated[bool, typer.Option(help="Exit with 7 if anything would change.")] = False,
) -> None:
    """Show what `up` would change, and the sizing."""
    with _told():
        setup.up(Progress(console))
        lifecycle.preview(_stack(stack), expect_no_changes=expect_no_changes)


@app.command()
def down(stack: StackName = DEV) -> None:
    """Stop the stack's containers; data, secrets and resources stay."""
    with _told():
        lifecycle.down(_stack(stack), console)


@app.command()
def destroy(stack: StackName = DEV, base: LastBase = True) -> None:
    """Remove everything of the stack but its store and its backups."""
    with _told():
        lifecycle.destroy(_stack(stack), console, with_base=base)


@app.command()
def purge(
    stack: StackName = DEV,
    confirm: Annotated[str | None, typer.Option(help="The stack's name, instead of being asked for it.")] = None,
    base: LastBase = True,
) -> None:
    """Remove the stack with its store; its backups stay. Asks for the stack's name."""
    with _told():
        _confirmed(stack, confirm, f"This deletes all data of stack {stack}")
        lifecycle.purge(_stack(stack), console, with_base=base)


@app.command("status")
def show_status(stack: StackName = DEV, json: AsJson = False) -> None:
    """Show containers, health, sizes and where the stack answers."""
    with _told():
        found = status.look(_stack(stack))
        _print(found.as_record()) if json else status.show(found, Console(highlight=False))
        raise typer.Exit(0 if found.is_well else 1)


@app.command()
def logs(
    container: Annotated[str | None, typer.Argument(help="Container; the one with the store when absent.")] = None,
    stack: StackName = DEV,
    follow: Annotated[bool, typer.Option("--follow", "-f")] = False,
) -> None:
    """Show a container's log."""
    with _told():
        this = _stack(stack)
        wanted = this.container(container)
        command = ["docker", "logs", "--tail", "200", *(["--follow"] if follow else []), wanted]
        host = this.host_of(wanted)
        if host.endpoint is None:
            _become(command, this.environment)
            return
        # The way to another host is open as long as this process lives.
        with host.environment() as environ:
            raise typer.Exit(pulumi_cli.foreground(command[1:], environ, program=command[:1]))


@app.command()
def url(stack: StackName = DEV) -> None:
    """Print where the stack answers."""
    with _told():
        print(_stack(stack).output("url"))


@app.command()
def token(
    name: Annotated[str | None, typer.Argument(help="Name of the token; an admin's when absent.")] = None,
    stack: StackName = DEV,
) -> None:
    """Print an access token."""
    with _told():
        print(_stack(stack).token(name))


@app.command("tokens")
def list_tokens(stack: StackName = DEV, json: AsJson = False) -> None:
    """Show who may do what: every token's name, role, end and reach, never the token itself."""
    with _told():
        this = _stack(stack)
        _print(tokens.record(this)) if json else tokens.show(this, Console(highlight=False))


@app.command()
def ca(stack: StackName = DEV) -> None:
    """Print the certificate that clients must trust (PEM)."""
    with _told():
        this = _stack(stack)
        if this.authority is None:
            this.output("url")
            raise StackError(f"stack {stack} has a certificate that was given to it: who signed it is not known here")
        print(this.authority, end="")


@app.command()
def shell(stack: StackName = DEV) -> None:
    """Open a shell in which plain `pulumi up` works."""
    with _told():
        setup.up(Progress(console))
        lifecycle.ensure(_stack(stack))
        environ = _stack(stack).environment
        # For `make` and `cortex` there, and for `pulumi`.
        environ["CORTEX_STACK"] = environ["PULUMI_STACK"] = stack
        program = os.environ.get("SHELL") or "/bin/sh"
        console.print(f"pulumi is on PATH, stack {stack} is selected; exit leaves this shell")
        raise typer.Exit(pulumi_cli.foreground([], environ, program=[program]))


@backup_app.command()
def now(stack: StackName = DEV, json: AsJson = False) -> None:
    """Take a base now."""
    _in_container(stack, backup.BACKUP, "now", *backup.PATIENT, json=json)


@backup_app.command("list")
def list_bases(stack: StackName = DEV, json: AsJson = False) -> None:
    """Show the bases at the target, and the time that can be restored."""
    _in_container(stack, backup.BACKUP, "list", json=json)


@backup_app.command()
def check(
    stack: StackName = DEV,
    json: AsJson = False,
    read_all: Annotated[bool, typer.Option(help="Read everything, and not only a share of it.")] = False,
) -> None:
    """Look whether what is at the target is whole."""
    _in_container(stack, backup.BACKUP, "check", *backup.PATIENT, *(["--read-all"] if read_all else []), json=json)


@backup_app.command("status")
def backup_status(stack: StackName = DEV, json: AsJson = False) -> None:
    """Show how far archive, bases and drills are."""
    _in_container(stack, backup.BACKUP, "status", json=json)


@app.command()
def drill(
    stack: StackName = DEV,
    to: Annotated[str, typer.Option(help="What to restore: latest, a moment, or the id of a base.")] = "latest",
    json: AsJson = False,
) -> None:
    """Restore a backup beside the stack, read everything back, and report."""
    _in_container(stack, backup.DRILL, "drill", "--to", to, json=json)


@app.command()
def restore(
    *,
    to: Annotated[str, typer.Option(help="What to restore: latest, a moment, or the id of a base.")] = "latest",
    into: Annotated[Path | None, typer.Option(help="A directory of this host, not the stack's own data.")] = None,
    collection: Annotated[str | None, typer.Option(help="Only this collection, into the running stack.")] = None,
    name: Annotated[str | None, typer.Option("--as", help="The collection's new name.")] = None,
    stack: StackName = DEV,
    confirm: Annotated[str | None, typer.Option(help="The stack's name, instead of being asked for it.")] = None,
) -> None:
    """Restore a backup: into a directory, or in place of the stack's data, which is moved aside first."""
    with _told():
        if (collection is None) != (name is None) or (collection and into):
            raise StackError("--collection needs --as NAME, and goes into the running stack, not --into a directory")
        if collection is not None and name is not None:
            one_collection.restore(_stack(stack), to, collection, name, console)
            return
        if into is not None:
            raise typer.Exit(restoring.into_directory(_stack(stack), to, into))
        _confirmed(stack, confirm, f"This stops stack {stack}, and moves its data aside")
        raise typer.Exit(restoring.in_place(_stack(stack), to))


@app.command("import")
def import_(
    *,
    source: Annotated[str, typer.Option("--from", help="A directory, volume:NAME, or http(s)://HOST:PORT.")],
    force: Annotated[bool, typer.Option("--force", help="Move data that the stack has aside first.")] = False,
    token: Annotated[bool, typer.Option("--token", help="Ask for the server's token, or CORTEX_IMPORT_TOKEN.")] = False,
    authority: Annotated[Path | None, typer.Option("--ca", help="Certificates to trust for https, PEM.")] = None,
    tenant: Annotated[str, typer.Option(help="Of the server.")] = "default_tenant",
    database: Annotated[str, typer.Option(help="Of the server.")] = "default_database",
    stack: StackName = DEV,
    json: AsJson = False,
) -> None:
    """Take over an existing Chroma: its directory, its volume, or a running server's collections."""
    with _told():
        shown = os.environ.get("CORTEX_IMPORT_TOKEN") or (token and typer.prompt("Token", hide_input=True, err=True))
        access = importing.Access(shown or "", tenant, database, authority)
        done = importing.run(_stack(stack), source, access, console, force=force)
        print(done.as_json() if json else done.as_text())


@app.command("recovery-sheet")
def show_recovery_sheet(stack: StackName = DEV) -> None:
    """Print what a rebuild needs, the key included."""
    with _told():
        print(recovery_sheet.sheet(_stack(stack)), end="")


def _confirmed(stack: str, confirm: str | None, what: str) -> None:
    """Have the stack's name typed before something that nobody does by accident."""
    typed = confirm if confirm is not None else typer.prompt(f"{what}. Type its name")
    if typed != stack:
        raise StackError(f"{typed!r} is not the stack's name; nothing was done")


def _in_container(stack: str, container: str, *arguments: str, json: bool) -> None:
    with _told():
        raise typer.Exit(backup.ask(_stack(stack), container, [*arguments, *(["--json"] if json else [])]))


@app.command("size")
def show_size(
    inputs: Annotated[list[str] | None, typer.Argument(help="KEY=VALUE: keys of cortex:corpus, or GROUP.KEY")] = None,
    json: AsJson = False,
) -> None:
    """Show the sizing arithmetic for given inputs."""
    with _told():
        pairs = [item.partition("=") for item in inputs or ()]
        if wrong := ["".join(pair) for pair in pairs if not pair[1]]:
            raise StackError(f"not KEY=VALUE: {shlex.join(wrong)}; for example vectors=1000000")
        given = {key.lower(): value for key, _, value in pairs}
        _print(size.record(given)) if json else print(size.table(given))


@app.command()
def demo(
    stack: StackName = DEV,
    n: Annotated[int, typer.Option("--n", min=1, help="Texts to index.")] = demo_data.DEFAULT_TEXTS,
) -> None:
    """Index real texts and search them."""
    with _told():
        this = _stack(stack)
        api = demo_data.Api(this.output("url"), this.output("token"), this.authority)
        demo_data.run(api, n, Console(highlight=False))


def _print(record: object) -> None:
    print(jsons.dumps(record))


def _become(command: list[str], environ: dict[str, str]) -> None:
    sys.stdout.flush()
    os.execvpe(command[0], command, environ)  # noqa: S606 - no shell; the terminal becomes the command's


def main() -> None:
    """Entry point of the `cortex` command."""
    run: Callable[[], None] = app
    run()
