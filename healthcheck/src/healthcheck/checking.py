"""Before a start: verify the store as deep as the last end asks for, and mend what can be mended."""

from __future__ import annotations

import time

import store
from healthcheck.actions import Phase
from healthcheck.context import Context, Refused
from healthcheck.ends import Check
from healthcheck.findings import Found, count_findings
from healthcheck.operations import Done

EXIT_UNUSABLE = 65
UNVERIFIED = "unverified"
"""Topic of the remark that this start went without a verification."""
_CANNOT_BE_READ = frozenset({65, 75})
_BUSY_POLL_S = 1.0
_SAID = 5
"""Findings that are put into one message; the log has them all."""


def check(context: Context, due: Check) -> None:
    """Verify and repair.

    Raises:
        Refused: only a backup helps, or the files cannot be read.
        StopRequested: the guard was asked to stop; what was being done is safe.
    """
    context.board.enter(Phase.VERIFYING, due.why)
    context.log.info("verify", depth=str(due.depth), reason=due.why)
    started_s = time.monotonic()
    found = _findings(context, context.look_at("verify", *_arguments(due)))
    if found is None:
        return
    if found.fatal:
        raise Refused(EXIT_UNUSABLE, f"the store is damaged: {_some(found.fatal)}. Restore it from a backup.")
    if found.mendable or found.removable:
        found = _repair(context, due, found)
    if found.unmended:
        # Serving what may be wrong is better than serving nothing, and touching it could destroy what is right.
        context.remarks["unmended"] = (
            f"{found.unmended} findings at the start that no repair mends, {found.undecided} of them undecided between "
            "index and log; the log names them: restore them from a backup"
        )
    context.log.info("verified", undecided=found.undecided, took_s=round(time.monotonic() - started_s, 3))


def _arguments(due: Check) -> list[str]:
    arguments = ["--depth", str(due.depth)]
    if due.changed_since_ns is not None:
        arguments += ["--only-changed-since-ns", str(due.changed_since_ns)]
    if due.trust_log_since_ns is not None:
        arguments += ["--trust-log-since-ns", str(due.trust_log_since_ns)]
    return arguments


def _findings(context: Context, done: Done) -> Found | None:
    """What was found; None when the verification itself failed, which says nothing about the store.

    Raises:
        Refused: the store cannot be read.
    """
    if done.exit_code in _CANNOT_BE_READ:
        raise Refused(done.exit_code, done.problem)
    if done.failed:
        context.remarks[UNVERIFIED] = f"it could not be verified before this start: {done.problem}"
        context.log.failed("verify.failed", reason=done.problem)
        return None
    found = count_findings(done.result)
    for line in found.lines:
        context.log.warning("finding", finding=line)
    return found


def _repair(context: Context, due: Check, found: Found) -> Found:
    """Mend what was found; returns what is left. Nothing else may work on the store meanwhile."""
    reason = _some(found.lines)
    context.board.enter(Phase.REPAIRING, f"{found.mendable} indexes to rebuild, {found.removable} leftovers to remove")
    started_s = time.monotonic()
    lock = store.ActivityLock(context.store, "repair")
    if not _taken(context, lock):
        if not found.mendable:
            context.log.info("leftovers.kept", reason="something else works on the store")
            return found
        context.loop.wait(lambda: _taken(context, lock), every_s=_BUSY_POLL_S)
    try:
        done = context.work_on("repair", *_arguments(due))
        if done.failed:
            context.board.did("repair", reason, f"failed: {done.problem}", done.took_s)
            raise Refused(EXIT_UNUSABLE, done.problem)
        context.board.enter(Phase.VERIFYING, "after the repair")
        left = _findings(context, context.look_at("verify", "--depth", "quick"))
    finally:
        lock.__exit__(None, None, None)
    broken = left.mendable if left is not None else found.mendable
    outcome = "done" if not broken else f"incomplete: {broken} indexes are still broken"
    context.board.did("repair", reason, outcome, time.monotonic() - started_s)
    return found


def activity_of(context: Context) -> str:
    """What somebody else does with the store at this moment; empty when nobody does."""
    try:
        with store.ActivityLock(context.store, "start"):
            return ""
    except store.StoreBusy as busy:
        return busy.running.what if busy.running else "something else"


def _taken(context: Context, lock: store.ActivityLock) -> bool:
    """Take the lock; while something else has it, say so."""
    try:
        lock.__enter__()
    except store.StoreBusy as busy:
        what = busy.running.what if busy.running else "something else"
        context.board.enter(context.board.phase, f"waits for the end of {what}")
        return False
    return True


def _some(lines: tuple[str, ...]) -> str:
    more = f" and {len(lines) - _SAID} more" if len(lines) > _SAID else ""
    return "; ".join(lines[:_SAID]) + more
