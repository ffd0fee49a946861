"""`python -m store compact`: the log without its superseded rows, the file without its free pages."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from store.commands.command import Command, acting, add_common, print_result, progress_of
from store.compaction import Compaction, compact


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=True)
    parser.add_argument("--dry-run", action="store_true", help="change nothing; say what could be dropped")
    parser.add_argument("--time-limit-s", type=float, metavar="S", help="stop cleanly after so many seconds")


def _run(chosen: argparse.Namespace) -> int:
    with acting(chosen, COMMAND.name):
        done = compact(
            chosen.path, dry_run=chosen.dry_run, time_limit_s=chosen.time_limit_s, progress=progress_of(chosen)
        )
    print_result(chosen, asdict(done), _text(done))
    return 1 if done.unfinished else 0


def _text(done: Compaction) -> str:
    if done.dry_run:
        return (
            f"{done.path}: {done.superseded_rows:,} of {done.rows:,} log rows could be dropped, "
            f"{done.superseded_bytes:,} bytes of {done.sqlite_bytes_before:,}, in about {done.seconds:.0f} s"
        )
    return "\n".join(
        [
            f"{done.path}: {done.dropped_rows:,} of {done.rows:,} log rows dropped in {done.seconds:.1f} s; "
            f"the file has {done.sqlite_bytes_after:,} bytes, it had {done.sqlite_bytes_before:,}",
            *(f"  {each}" for each in done.unfinished),
        ]
    )


COMMAND = Command(
    name="compact",
    summary="drop log rows that later ones supersede, and shrink the file; server stopped",
    add_arguments=_add_arguments,
    run=_run,
)
