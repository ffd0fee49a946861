"""`python -m store renew`: an index without its tombstones."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from store.commands.command import Command, acting, add_common, print_result
from store.renewing import Renewal, renew


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=True)
    parser.add_argument("collection_id", help="id of the collection, as `inspect --json` shows it")


def _run(chosen: argparse.Namespace) -> int:
    with acting(chosen, COMMAND.name):
        done = renew(chosen.path, chosen.collection_id)
    print_result(chosen, asdict(done), _text(done))
    return 0


def _text(done: Renewal) -> str:
    return (
        f"{done.path}: the index of {done.collection} is made again from {done.rebuild_rows:,} log rows at first use, "
        f"in about {done.rebuild_estimate_s:.0f} s; {done.freed_bytes:,} bytes freed"
    )


COMMAND = Command(
    name="renew",
    summary="make an index again from the log, without its tombstones; server stopped",
    add_arguments=_add_arguments,
    run=_run,
)
