"""`python -m store copy`: a consistent copy of a store whose server goes on writing."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from store.activity import ActivityLock
from store.commands.command import Command, add_common, print_result, progress_of
from store.copying import Copy, copy
from store.database import check_file


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=False)
    parser.add_argument("target", type=Path, help="a new or empty directory")
    parser.add_argument(
        "--wait-s", type=float, default=0.0, metavar="S", help="how long to wait for a repair, compaction or restart"
    )


def _run(chosen: argparse.Namespace) -> int:
    check_file(chosen.path)  # before the lock, which would make its file in whatever directory was named
    with ActivityLock(chosen.path, COMMAND.name, wait_s=chosen.wait_s):
        done = copy(chosen.path, chosen.target, progress=progress_of(chosen))
    print_result(chosen, asdict(done), _text(done))
    return 0


def _text(done: Copy) -> str:
    return "\n".join(
        [
            f"{done.target}: {done.collections:,} collections, {done.log_rows:,} log rows, {done.indexes:,} indexes, "
            f"{done.sqlite_bytes + done.index_bytes:,} bytes in {done.seconds:.1f} s",
            *(f"  index of {each.collection_name} left out, to be rebuilt: {each.why}" for each in done.left_out),
        ]
    )


COMMAND = Command(
    name="copy",
    summary="make a consistent copy; the server may run and write",
    add_arguments=_add_arguments,
    run=_run,
)
