"""`python -m backup drilling`: drills by schedule, until it is stopped."""

from __future__ import annotations

import argparse

from backup.commands.command import Command
from backup.config import config_path, load, scratch_path
from backup.drilling.loop import run
from backup.target import opened


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(json=True)


def _run(chosen: argparse.Namespace) -> int:  # noqa: ARG001 (every command has this signature)
    config = load(config_path())
    with opened(config) as target:
        return run(config, target, scratch_path())


COMMAND = Command(
    name="drilling",
    summary="try restores by schedule, until stopped",
    add_arguments=_add_arguments,
    run=_run,
)
