"""`python -m store receive`: a stock store from stdin, made durable, in the place of an empty one."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from store.commands.command import Command, add_common, print_result, progress_of
from store.receiving import Received, receive, refuse_collections


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=False)
    parser.add_argument("--origin", default="", metavar="TEXT", help="where it came from, for the archive's records")
    parser.add_argument("--force", action="store_true", help="move a store with collections aside; nothing is deleted")
    parser.add_argument("--check", action="store_true", help="only say whether there are collections; a server may run")


def _run(chosen: argparse.Namespace) -> int:
    def tell(text: str) -> None:
        print(json.dumps({"message": text}) if chosen.json else text, file=sys.stderr)  # noqa: T201

    if chosen.check:
        refuse_collections(chosen.path)
        return 0
    done = receive(
        sys.stdin.buffer,
        chosen.path,
        origin=chosen.origin,
        force=chosen.force,
        progress=progress_of(chosen),
        tell=tell,
    )
    print_result(chosen, asdict(done), _text(done))
    return 0


def _text(done: Received) -> str:
    lines = [
        f"{done.path}: {done.records:,} records in {done.collections:,} collections, {done.bytes:,} bytes in "
        f"{done.seconds:.1f} s",
        f"  {done.log_rows_written:,} rows were written into the log; {done.vectors_compared:,} vectors compared",
    ]
    if done.moved_aside:
        lines.append(f"  what was there is in {done.moved_aside}")
    return "\n".join([*lines, *(f"  {note}" for note in done.notes)])


COMMAND = Command(
    name="receive",
    summary="put a store from stdin, made durable, in the place of one without collections; server stopped",
    add_arguments=_add_arguments,
    run=_run,
)
