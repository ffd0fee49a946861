"""`python -m backup status`: what the daemon told last."""

from __future__ import annotations

import argparse
import time
from typing import Any

from backup.commands.command import Command, add_json, print_result
from backup.config import config_path, load
from backup.errors import EXIT_FOUND
from backup.state import SILENT_S, read
from backup.words import moment, seconds, size


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def _run(chosen: argparse.Namespace) -> int:
    state = read(load(config_path()).store)
    now_s = time.time()
    problems = _problems(state, now_s)
    print_result(chosen, {**(state or {}), "problems": problems}, _text(state, problems, now_s))
    return EXIT_FOUND if problems else 0


def _problems(state: dict[str, Any] | None, now_s: float) -> list[str]:
    if state is None:
        return ["the daemon has told nothing yet: `python -m backup run` does not run beside this store"]
    if now_s - state["written_s"] > SILENT_S:
        return [f"the daemon has told nothing for {seconds(now_s - state['written_s'])}: see its log"]
    archive, base, drill = state["archive"], state["base"], state["drill"]
    found = []
    if archive["why"] and not archive["running"]:
        found.append(f"the archive does not run: {archive['why']}")
    elif archive["why"]:
        found.append(f"the archive: {archive['why']}")
    if base["why"]:
        found.append(f"bases: {base['why']}")
    if base["damage"]:
        found.append(f"the last check found: {base['damage']}")
    if base["overdue_after_s"] is not None and now_s > base["overdue_after_s"]:
        found.append("a base is overdue by two schedules")
    if drill["passed"] is False:
        found.append(f"the last drill failed: {drill['why']}")
    if drill["overdue_after_s"] is not None and now_s > drill["overdue_after_s"]:
        found.append("a drill is overdue by two schedules")
    return found


def _text(state: dict[str, Any] | None, problems: list[str], now_s: float) -> str:
    lines = []
    if state is not None:
        archive, base, drill = state["archive"], state["base"], state["drill"]
        lag = "nothing has arrived yet" if archive["lag_s"] is None else f"{seconds(archive['lag_s'])} behind"
        lines = [
            f"archive {archive['lineage'] or '-'}: {'runs' if archive['running'] else 'does not run'}, {lag}, "
            f"{size(state['staging_bytes'])} staged",
            f"base {base['id'][:8] or '-'}: {moment(base['taken_s'])}, {size(base['bytes'])}, "
            f"verified {moment(base['verified_s'])}; the next {moment(base['next_s'])}",
            f"drill: {moment(drill['ended_s'])}; the next {moment(drill['next_s'])}",
            f"told {seconds(now_s - state['written_s'])} ago",
        ]
    return "\n".join([*lines, *(f"problem: {each}" for each in problems)])


COMMAND = Command(
    name="status",
    summary="show archive, newest base and last drill as the daemon told them",
    add_arguments=_add_arguments,
    run=_run,
)
