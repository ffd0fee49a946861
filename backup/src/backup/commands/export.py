"""`python -m backup export`: one collection out of a backup."""

from __future__ import annotations

import argparse
import shutil
import sys

from backup import exporting
from backup.commands.command import Command, add_json, progress_of, setting
from backup.commands.restore import add_to
from backup.restoring.restore import restore

_FOLDER = "export"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_to(parser)
    parser.add_argument(
        "--collection", required=True, metavar="NAME", help="its name, or tenant/database/name where several have it"
    )


def _run(chosen: argparse.Namespace) -> int:
    with setting() as given:
        folder = given.scratch / _FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            restore(given.target, folder, folder / "store", chosen.to, progress=progress_of(chosen))
            for line in exporting.lines(folder / "store", chosen.collection):
                sys.stdout.write(line + "\n")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


COMMAND = Command(
    name="export",
    summary="print one collection of a backup, a line for each record",
    add_arguments=_add_arguments,
    run=_run,
)
