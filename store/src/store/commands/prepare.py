"""`python -m store prepare`: the durable log and the WAL journal, before the first data."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from store.commands.command import Command, add_common, locked, print_result
from store.preparation import Preparation, prepare


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=True)
    parser.add_argument(
        "--switch-on-again", action="store_true", help="accept a log switched off since, if no vector is missing yet"
    )
    parser.add_argument(
        "--thorough", action="store_true", help="look for every vector in the log of a prepared store too (seconds)"
    )


def _run(chosen: argparse.Namespace) -> int:
    with locked(chosen, COMMAND.name):
        done = prepare(chosen.path, switch_on_again=chosen.switch_on_again, thorough=chosen.thorough)
    print_result(chosen, asdict(done), _text(done))
    return 0


def _text(done: Preparation) -> str:
    holds = f"{done.audit.records:,} records, {done.audit.rows:,} log rows" if done.audit else "log not read"
    if not done.changed:
        return f"{done.path}: prepared already ({holds})"
    return "\n".join([f"{done.path}: prepared ({holds})", *(f"  {change}" for change in done.changed)])


COMMAND = Command(
    name="prepare",
    summary="keep the log and use a WAL journal, before the first data; server stopped",
    add_arguments=_add_arguments,
    run=_run,
)
