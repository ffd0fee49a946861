"""`python -m store send`: a store that nobody uses, as a stream on stdout."""

from __future__ import annotations

import argparse
import json
import sys

from store.commands.command import Command, add_common
from store.sending import check, send


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=False)
    parser.add_argument("--check", action="store_true", help="only say whether it could be sent")


def _run(chosen: argparse.Namespace) -> int:
    if chosen.check:
        check(chosen.path)
        return 0
    sent = send(chosen.path, sys.stdout.buffer)
    if chosen.json:
        print(json.dumps({"sent_bytes": sent}), file=sys.stderr)  # noqa: T201
    return 0


COMMAND = Command(
    name="send",
    summary="write a store to stdout, for `receive`; server stopped, the store is only read",
    add_arguments=_add_arguments,
    run=_run,
)
