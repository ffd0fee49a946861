"""`python -m store repair`: mend what can be mended from the log."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from store.commands.command import Command, acting, add_common, print_result, progress_of
from store.commands.verify import add_depth, add_evidence, describe
from store.repairing import Repair, repair
from store.verification import Depth


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common(parser, lock=True)
    add_depth(parser)
    add_evidence(parser)


def _run(chosen: argparse.Namespace) -> int:
    with acting(chosen, COMMAND.name):
        done = repair(
            chosen.path,
            depth=Depth(chosen.depth),
            only_changed_since_ns=chosen.only_changed_since_ns,
            trust_log_since_ns=chosen.trust_log_since_ns,
            progress=progress_of(chosen),
        )
    print_result(chosen, {**asdict(done), "whole": done.is_whole}, _text(done))
    return 0 if done.is_whole else 1


def _text(done: Repair) -> str:
    if done.is_whole and not (done.rebuilt or done.removed):
        return f"{done.path}: nothing to repair ({done.verification.depth})"
    lines = [f"{done.path}: {'repaired' if done.is_whole else 'NOT WHOLE'}"]
    lines += [f"  {name}: its index is made again from the log at first use" for name in done.rebuilt]
    if done.rebuilt:
        lines.append(f"  {done.rebuild_rows:,} log rows to apply, about {done.rebuild_estimate_s:.0f} s")
    if done.removed:
        lines.append(f"  {len(done.removed)} folders of no collection removed, {done.removed_bytes:,} bytes")
    lines += [f"  moved aside, it may be the last copy: {path}" for path in done.aside]
    lines += [describe(finding) for finding in done.undecided]
    return "\n".join(lines)


COMMAND = Command(
    name="repair",
    summary="make damaged indexes again from the log, remove what belongs to nothing; server stopped",
    add_arguments=_add_arguments,
    run=_run,
)
