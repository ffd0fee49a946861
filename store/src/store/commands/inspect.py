"""`python -m store inspect`: what is in a store."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from store.commands.command import Command, add_common, print_result
from store.inspection import Inspection, inspect


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=False)


def _run(chosen: argparse.Namespace) -> int:
    found = inspect(chosen.path)
    result = {**asdict(found), "lag_rows": found.lag_rows, "orphan_bytes": found.orphan_bytes}
    print_result(chosen, result, _text(found))
    return 0


def _text(found: Inspection) -> str:
    kept = "kept" if found.log_kept else "NOT KEPT"
    lines = [
        f"{found.path}: Chroma {found.chroma_version}, log {kept}, journal {found.journal_mode}",
        f"  {found.vectors:,} records in {len(found.collections)} collections",
        f"  database {found.sqlite_bytes:,} bytes, write-ahead log {found.wal_bytes:,} bytes",
        f"  log {found.log_rows:,} rows, about {found.superseded_rows:,} of them superseded",
        f"  {len(found.orphans)} orphaned index folders, {found.orphan_bytes:,} bytes",
    ]
    for view in found.collections:
        elements = "no index saved" if view.index_elements is None else f"{view.index_elements:,} elements"
        lines.append(
            f"  {view.database}/{view.name}: {view.records:,} x {view.dimensions or '-'} {view.space}, {elements}, "
            f"{view.index_bytes:,} bytes, {view.lag_rows:,} rows behind the log"
        )
    return "\n".join(lines)


COMMAND = Command(
    name="inspect",
    summary="show collections, sizes and what is left over; the server may run",
    add_arguments=_add_arguments,
    run=_run,
)
