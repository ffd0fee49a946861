"""`python -m store adopt`: a stock store made durable, with what its indexes hold written into its log."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from store.adoption import Adoption, adopt
from store.commands.command import Command, acting, add_common, print_result, progress_of


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=True)


def _run(chosen: argparse.Namespace) -> int:
    with acting(chosen, COMMAND.name):
        done = adopt(chosen.path, progress=progress_of(chosen))
    print_result(chosen, asdict(done), _text(done))
    return 0


def _text(done: Adoption) -> str:
    if done.was_adopted:
        return f"{done.path}: prepared already, nothing to adopt"
    return "\n".join(
        [
            f"{done.path}: {done.records:,} records of {done.collections:,} collections adopted in "
            f"{done.seconds:.1f} s: {done.written:,} rows written into the log, {done.completed:,} completed",
            *(f"  {change}" for change in done.changed),
        ]
    )


COMMAND = Command(
    name="adopt",
    summary="take over a store whose log Chroma has purged; server stopped",
    add_arguments=_add_arguments,
    run=_run,
)
