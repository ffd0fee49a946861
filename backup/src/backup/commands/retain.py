"""`python -m backup retain`: remove the bases and lineages that the settings do not keep."""

from __future__ import annotations

import argparse
import time

from backup import archive_retention, bases, lineage
from backup.commands.command import Command, add_json, add_wait, print_result, setting


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_wait(parser)


def _run(chosen: argparse.Namespace) -> int:
    with setting() as given:
        going = bases.retain(given.config, given.target, given.scratch, wait_s=chosen.wait_s)
        present = lineage.read(given.config.store)
        ended: tuple[str, ...] = ()
        if present is not None:
            ended = archive_retention.retain(given.target, present.id, given.config.archive.days, time.time())
        result = {"bases": going, "lineages": ended}
        print_result(chosen, result, f"{len(going)} bases and {len(ended)} lineages removed")
    return 0


COMMAND = Command(
    name="retain",
    summary="remove bases and lineages that the settings do not keep; never the last verified base, or a pinned one",
    add_arguments=_add_arguments,
    run=_run,
)
