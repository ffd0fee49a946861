"""The work on the store that waits for a planned restart: orphans, compaction, index renewal."""

from __future__ import annotations

import time
from collections.abc import Sequence

from healthcheck.actions import Phase
from healthcheck.alone import alone
from healthcheck.context import Context
from healthcheck.maintenance import Step, StepKind, plan_maintenance
from healthcheck.operations import Done

_INSPECT_LIMIT_S = 600.0
_OVER_S = 60.0
"""A step ends by itself at its limit; one that does not is stopped so much later."""


def maintain(context: Context) -> None:
    """Do what is worth it, within the limit of time. The server is stopped, the activity lock held."""
    deadline_s = time.monotonic() + context.settings.maintenance_limit_s
    inspection = context.look_at("inspect", limit_s=_INSPECT_LIMIT_S)
    if inspection.failed:
        context.board.did("maintenance", "planned", f"failed: {inspection.problem}", inspection.took_s)
        return
    plan = plan_maintenance(inspection.result, context.settings)
    context.log.info(
        "maintenance.plan",
        steps=[step.message for step in plan.steps],
        estimate_s=round(plan.estimate_s, 1),
        left_out=[f"{step.message}: takes about {step.estimate_s:.0f} s" for step in plan.left_out],
    )
    with alone(context):
        _do_all(context, plan.steps, deadline_s)


def _do_all(context: Context, steps: Sequence[Step], deadline_s: float) -> None:
    for step in steps:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            context.board.did(f"maintenance: {step.kind}", step.message, "left out: the time is over", 0.0)
            continue
        context.board.enter(Phase.MAINTAINING, f"{step.kind}: {step.message}, about {step.estimate_s:.0f} s")
        done = _do(context, step, left_s)
        outcome = f"failed: {done.problem}" if done.failed else "done" if done.exit_code == 0 else "unfinished"
        context.board.did(f"maintenance: {step.kind}", step.message, outcome, done.took_s)


def _do(context: Context, step: Step, left_s: float) -> Done:
    match step.kind:
        case StepKind.ORPHANS:
            return context.work_on("repair", "--depth", "quick", limit_s=left_s + _OVER_S)
        case StepKind.COMPACT:
            return context.work_on("compact", "--time-limit-s", f"{left_s:.0f}", limit_s=left_s + _OVER_S)
        case StepKind.RENEW:
            return context.work_on("renew", step.collection_id, limit_s=left_s + _OVER_S)
