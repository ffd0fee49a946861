"""Command line of the store: text for people, JSON for programs, and exit codes for scripts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from store.errors import StoreError
from store.lock import WriterLock
from store.preparation import Preparation, check_closed, prepare

_EPILOG = "exit codes: 0 prepared; 2 wrong arguments; 65 the store is not usable, the message says why; 75 it is in use"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        check_closed(chosen.path)  # before the lock, which would make its file in whatever directory was named
        with WriterLock(chosen.path, program="python -m store prepare"):
            done = prepare(chosen.path, switch_on_again=chosen.switch_on_again, thorough=chosen.thorough)
    except StoreError as error:
        problem = {"error": type(error).__name__, "message": str(error), "path": str(chosen.path)}
        print(json.dumps(problem) if chosen.json else f"error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(json.dumps(asdict(done), default=str) if chosen.json else _text(done))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m store", description="Chroma's files on disk, server stopped.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "prepare", help="keep the log and use a WAL journal, before the first data", epilog=_EPILOG
    )
    command.add_argument("path", type=Path, help="the store: the directory that holds chroma.sqlite3")
    command.add_argument("--json", action="store_true", help="print JSON instead of text")
    command.add_argument(
        "--switch-on-again", action="store_true", help="accept a log switched off since, if no vector is missing yet"
    )
    command.add_argument(
        "--thorough", action="store_true", help="look for every vector in the log of a prepared store too (seconds)"
    )
    return parser


def _text(done: Preparation) -> str:
    holds = f"{done.audit.records:,} records, {done.audit.rows:,} log rows" if done.audit else "log not read"
    if not done.changed:
        return f"{done.path}: prepared already ({holds})"
    return "\n".join([f"{done.path}: prepared ({holds})", *(f"  {change}" for change in done.changed)])
