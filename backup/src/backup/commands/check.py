"""`python -m backup check`: is what lies at the target still what was written there?"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict

from backup import notes
from backup.checking import Check, check
from backup.commands.command import Command, add_json, add_wait, print_result, setting
from backup.errors import EXIT_FOUND
from backup.words import seconds


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_wait(parser)
    parser.add_argument(
        "--read-all", action="store_true", help="read all data of the bases back, not only today's seventh"
    )


def _run(chosen: argparse.Namespace) -> int:
    with setting() as given:
        found = check(given.config, given.target, given.scratch, read_all=chosen.read_all, wait_s=chosen.wait_s)
        noted = notes.LastCheck(
            ended_s=time.time(),
            problems=found.problems,
            archive_gap=found.archive_gap,
            place=given.target.words,
            damaged=found.damaged,
            packs=found.packs,
        )
        notes.note_check(given.config.store, noted)
        print_result(chosen, asdict(found), _text(found))
    return EXIT_FOUND if found.problems else 0


def _text(found: Check) -> str:
    head = f"{found.bases} bases and the archive, {found.read} of the bases' data read, in {seconds(found.seconds)}: "
    if not found.problems:
        return f"{head}nothing is wrong"
    return "\n".join([f"{head}{len(found.problems)} things are wrong", *(f"  {each}" for each in found.problems)])


COMMAND = Command(
    name="check",
    summary="look whether bases and archive are whole",
    add_arguments=_add_arguments,
    run=_run,
)
