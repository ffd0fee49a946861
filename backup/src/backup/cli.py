"""Command line of backups: one command per file of `commands/`, errors as messages with an exit code."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from store.errors import StoreError

from backup.commands import COMMANDS
from backup.errors import BackupError

_EXIT_CODES = """exit codes: 0 done, nothing wrong; 1 something was found; 2 wrong arguments; 65 it cannot work as it
is, the message says why; 75 something is under way or out of reach, try again later; 78 the configuration is wrong"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. The configuration is the file that BACKUP_CONFIG names."""
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return int(chosen.run(chosen))
    except (BackupError, StoreError) as error:
        problem = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(problem) if chosen.json else f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the signature of handlers)
    """End as after an error, so that tools are ended and files removed."""
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backup", description="Backups of a Chroma store.")
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
