"""`python -m backup restore`: a store from a backup."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from backup.commands.command import Command, add_json, print_result, progress_of, setting
from backup.restoring.restore import Restored, restore
from backup.restoring.wanted import LATEST, Wanted, in_words, read
from backup.words import seconds, size


def wanted(text: str) -> Wanted:
    """What to restore, as an argument."""
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_to(parser: argparse.ArgumentParser) -> None:
    """The argument that says what to restore."""
    parser.add_argument(
        "--to",
        type=wanted,
        default=Wanted(),
        metavar="WHAT",
        help=f"{LATEST} (the default), a moment such as 2027-01-31T12:00:00Z, or the id of a base",
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_to(parser)
    parser.add_argument("--into", type=Path, required=True, metavar="DIR", help="where the store shall be")
    parser.add_argument("--force", action="store_true", help="move what is there aside first; nothing is deleted")


def _run(chosen: argparse.Namespace) -> int:
    def tell(text: str) -> None:
        print(json.dumps({"message": text}) if chosen.json else text, file=sys.stderr)  # noqa: T201

    with setting() as given:
        done = restore(
            given.target,
            given.scratch,
            chosen.into,
            chosen.to,
            force=chosen.force,
            progress=progress_of(chosen),
            tell=tell,
        )
        print_result(chosen, done.as_record(), _text(done, chosen.into))
    return 0


def _text(done: Restored, into: Path) -> str:
    lines = [
        f"{into} holds {done.records:,} records in {done.collections} collections, from {done.source}",
        f"  everything that was acknowledged by {in_words(done.until_s)} is in it",
        f"  {done.verified_vectors:,} vectors read back and compared; {size(done.fetched_bytes)} fetched, "
        f"{seconds(done.took_s)} in all",
    ]
    if done.missing_rows or done.missing_s:
        lines.append(f"  missing: {done.missing_rows:,} rows, the last {seconds(done.missing_s)}")
    if done.rows_to_apply:
        lines.append(f"  {done.rows_to_apply:,} rows of the log are applied to the indexes at the first start")
    if done.moved_aside:
        lines.append(f"  what was there is in {done.moved_aside}")
    return "\n".join([*lines, *(f"  not used: {note}" for note in done.notes)])


COMMAND = Command(
    name="restore",
    summary="put a store together from a backup, and read everything back",
    add_arguments=_add_arguments,
    run=_run,
)
