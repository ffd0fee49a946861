"""`python -m backup now`: make a base."""

from __future__ import annotations

import argparse
import time

from backup import bases, notes
from backup.commands.command import (
    Command,
    add_json,
    add_wait,
    print_result,
    progress_of,
    setting,
    warning_of,
)
from backup.manifest import Manifest
from backup.words import seconds, size


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_wait(parser)


def _run(chosen: argparse.Namespace) -> int:
    with setting() as given:
        made = bases.take(
            given.config,
            given.target,
            given.scratch,
            wait_s=chosen.wait_s,
            progress=progress_of(chosen),
            warn=warning_of(chosen),
        )
        noted = notes.NewestBase(
            id=made.id,
            taken_s=made.taken_s,
            bytes=made.bytes,
            added_bytes=made.added_bytes,
            records=made.records,
            seconds=time.time() - made.taken_s,
            place=given.target.words,
        )
        notes.note_base(given.config.store, noted)
        print_result(chosen, made.as_record(), _text(made, noted))
    return 0


def _text(made: Manifest, noted: notes.NewestBase) -> str:
    lines = [
        f"base {made.id[:8]} at {noted.place}",
        f"  {made.records:,} records in {len(made.collections)} collections, {size(made.bytes)}, "
        f"{size(made.added_bytes)} of it new there",
        f"  {seconds(noted.seconds)}: copy {seconds(made.copy_s)}, hashes {seconds(made.hash_s)}, "
        f"save {seconds(made.save_s)}",
    ]
    if made.left_out:
        lines.append(f"  {len(made.left_out)} indexes never held still: a restore makes them from the log")
    return "\n".join(lines)


COMMAND = Command(
    name="now",
    summary="make a base; the server may run and write",
    add_arguments=_add_arguments,
    run=_run,
)
