"""`python -m store assemble`: the newest log with the indexes of an older copy."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from store.assembly import Assembly, assemble
from store.commands.command import Command, print_result, progress_of


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="LOG", help="the SQLite file with the newest log, of any name")
    parser.add_argument("older", type=Path, metavar="OLDER", help="an older copy of the same store")
    parser.add_argument("target", type=Path, metavar="TARGET", help="a new or empty directory")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on stdout; progress and errors as JSON lines on stderr"
    )


def _run(chosen: argparse.Namespace) -> int:
    done = assemble(chosen.path, chosen.older, chosen.target, progress=progress_of(chosen))
    print_result(chosen, asdict(done), _text(done))
    return 0


def _text(done: Assembly) -> str:
    return "\n".join(
        [
            f"{done.target}: {done.collections:,} collections, {done.log_rows:,} log rows, {done.indexes:,} indexes, "
            f"{done.rows_to_apply:,} rows to apply at first use; {done.seconds:.1f} s",
            *(f"  index of {each.collection_name} left out, to be rebuilt: {each.why}" for each in done.left_out),
        ]
    )


COMMAND = Command(
    name="assemble",
    summary="put a store together from the newest log and the indexes of an older copy",
    add_arguments=_add_arguments,
    run=_run,
)
