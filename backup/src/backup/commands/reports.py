"""`python -m backup reports`: keep the reports of drills beside the backups, and heed what they say."""

from __future__ import annotations

import argparse
from typing import Any

from backup import bases, records
from backup.commands.command import Command, Setting, add_json, print_result, setting
from backup.drilling import reports
from backup.errors import Damaged


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def _run(chosen: argparse.Namespace) -> int:
    with setting() as given:
        there = records.read_all(given.target, records.DRILLS)
        new = {name: report for name, report in reports.read_all(reports.folder()).items() if name not in there}
        for name, report in new.items():
            # Its consequence first: a report that is there was heeded.
            if report["passed"]:
                _verified(given, report)
            else:
                _pin_last_good(given, report)
            records.write(given.target, records.DRILLS, name, report)
        print_result(chosen, {"reports": list(new)}, f"{len(new)} reports kept at {given.target.words}")
    return 0


def _verified(given: Setting, report: dict[str, Any]) -> None:
    """The base that was restored is known to be whole; what was pinned for its sake is free again."""
    if report["base"]:
        bases.mark(given.target, report["base"], verified_s=report["ended_s"], verified_by="a drill")
    for base in _all(given):
        if base.manifest is not None and base.manifest.pinned and base.id != report["base"]:
            bases.mark(given.target, base.id, pinned="")


def _pin_last_good(given: Setting, report: dict[str, Any]) -> None:
    good = [base for base in _all(given) if base.manifest is not None and base.manifest.verified_s is not None]
    if good:
        bases.mark(given.target, good[-1].id, pinned=f"the last good one before a drill failed: {report['why'][:200]}")


def _all(given: Setting) -> tuple[bases.Base, ...]:
    try:
        return bases.find_all(given.target, bases.repository(given.target, given.scratch))
    except Damaged:
        return ()


COMMAND = Command(
    name="reports",
    summary="keep the reports of drills at the target, and pin or free bases by them",
    add_arguments=_add_arguments,
    run=_run,
)
