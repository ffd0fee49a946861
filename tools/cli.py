"""The command line of the set-up: `python -m tools up | doctor | env | pulumi …`."""

from __future__ import annotations

import os
import shlex
import sys

import typer
from rich.console import Console

from tools import doctor as diagnosis
from tools import pulumi_cli, setup
from tools.environment import environment
from tools.errors import ToolError
from tools.progress import Progress

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make this machine ready for `pulumi up`.")


@app.command()
def up() -> None:
    """Fetch, build and start whatever is missing."""
    setup.up(Progress())


@app.command()
def env() -> None:
    """Print the variables to set, as shell commands."""
    wanted = environment()
    lines = [
        f"export {name}={shlex.quote(value)}" for name, value in sorted(wanted.items()) if os.environ.get(name) != value
    ]
    sys.stdout.write("\n".join(lines) + "\n")


@app.command()
def doctor() -> None:
    """Say what is there, what is missing and what to do; exit code 1 if something is missing."""
    raise typer.Exit(diagnosis.main(Console(highlight=False, soft_wrap=True)))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def pulumi(context: typer.Context) -> None:
    """Run Pulumi with everything it needs; settings files stay as they are."""
    raise typer.Exit(pulumi_cli.foreground(context.args, environment()))


def main() -> None:
    """Runs a command; an error that the reader can act on is printed without a traceback, exit code 1."""
    try:
        app()
    except ToolError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]error:[/red] {error}", markup=True)
        raise SystemExit(1) from error
