"""`python -m backup drill`: try a restore now."""

from __future__ import annotations

import argparse

from backup.commands.command import Command, add_json, print_result, progress_of, setting
from backup.commands.restore import add_to
from backup.drilling import reports
from backup.drilling.drill import Report, drill
from backup.errors import EXIT_FOUND
from backup.words import seconds


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_to(parser)


def _run(chosen: argparse.Namespace) -> int:
    with setting() as given:
        report = drill(given.target, given.scratch, chosen.to, progress=progress_of(chosen))
        reports.write(reports.folder(), report.as_record())
        print_result(chosen, report.as_record(), _text(report))
    return 0 if report.passed else EXIT_FOUND


def _text(report: Report) -> str:
    took_s = report.ended_s - report.started_s
    if not report.passed:
        return f"the drill failed after {seconds(took_s)}: {report.why}"
    assert report.restored is not None  # noqa: S101 (it passed)
    return "\n".join(
        [
            f"the drill passed in {seconds(took_s)}: {report.restored['records']:,} records restored from "
            f"{report.restored['source']}, every vector read back",
            f"  first right answer after {seconds(report.rto_s or 0)}; what was restored was "
            f"{seconds(report.rpo_s or 0)} old",
            f"  a server read {report.rows_read} rows and found {report.found} of {report.searches} by their vector",
        ]
    )


COMMAND = Command(
    name="drill",
    summary="restore beside the stack, start a server on it, ask it, and report",
    add_arguments=_add_arguments,
    run=_run,
)
