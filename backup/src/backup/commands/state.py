"""`python -m backup state`: what a base carries of the stack beside its data."""

from __future__ import annotations

import argparse
import sys

from backup import bases
from backup.commands.command import Command, setting
from backup.commands.restore import add_to
from backup.errors import NoBase


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_to(parser)
    parser.set_defaults(json=False)


def _run(chosen: argparse.Namespace) -> int:
    with setting() as given:
        at = bases.repository(given.target, given.scratch)
        found = [
            base
            for base in bases.find_all(given.target, at)
            if base.id.startswith(chosen.to.base) and (chosen.to.moment_s is None or base.taken_s <= chosen.to.moment_s)
        ]
        if not found:
            raise NoBase(f"{given.target.words} has no base for {chosen.to}, and so nothing of the stack's own state.")
        # The secrets of the stack, for the one who rebuilds it.
        sys.stdout.write(at.read(found[-1].id, bases.STATE).decode() + "\n")
    return 0


COMMAND = Command(
    name="state",
    summary="print the stack's secrets that the newest base carries",
    add_arguments=_add_arguments,
    run=_run,
)
