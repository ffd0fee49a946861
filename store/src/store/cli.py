"""Command line of the store: one command per file of `commands/`, errors as messages with an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from store.commands import COMMANDS
from store.errors import StoreError

_EXIT_CODES = """exit codes: 0 done, nothing wrong; 1 something was found, or left as it was; 2 wrong arguments;
65 the store is not usable, the message says why; 75 it is in use by another process"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except StoreError as error:
        problem = {"error": type(error).__name__, "message": str(error), "path": str(chosen.path)}
        print(json.dumps(problem) if chosen.json else f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m store", description="Chroma's files on disk.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        entry = commands.add_parser(
            command.name,
            help=command.summary,
            description=f"{command.summary[:1].upper()}{command.summary[1:]}.",
            epilog=_EXIT_CODES,
        )
        entry.set_defaults(run=command.run)
        command.add_arguments(entry)
    return parser
