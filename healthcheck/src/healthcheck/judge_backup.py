"""Would a restore bring back everything? Judgements of archive, bases and drills. Pure.

Each is degraded, never failing: a store without backups serves every request.
"""

from __future__ import annotations

from healthcheck.judgement import Judgement, Verdict
from healthcheck.observation import ArchiveView, BackupView, BaseView, DrillView

ARCHIVE_LAG_S = 60.0
"""What is not at the target yet, in time: a restart of the archiver takes some seconds, an outage does not end."""
SILENT_S = 60.0
"""The archiver tells its state every few seconds."""
FIRST_WAIT_S = 600.0
"""After the guard's start: the archiver may come later, and a large store's first base takes a while."""
MOST_FAILURES = 3
"""Of bases in a row, with growing pauses between them: what ends by itself mostly has ended by then."""
_HOUR_S = 3600.0


def judge_backups(seen: BackupView | None, why: str, wall_s: float, watched_s: float) -> list[Judgement]:
    """Judge the archive, the last base and the last drill.

    Args:
        seen: what the archiver told last; None if it told nothing.
        why: why there is nothing.
        wall_s: now, seconds since 1970.
        watched_s: how long the guard has watched.
    """
    if seen is None:
        waits = watched_s < FIRST_WAIT_S
        verdict = Verdict.OK if waits else Verdict.DEGRADED
        message = f"the archiver has told nothing yet: {why}" + ("" if waits else "; see its container's log")
        return [Judgement("archive_lag", None, ARCHIVE_LAG_S, "s", verdict, message)]
    silent_s = wall_s - seen.told_wall_s
    if silent_s > SILENT_S:
        message = f"the archiver has told nothing for {silent_s:.0f} s; see its container's log"
        return [Judgement("archive_lag", silent_s, ARCHIVE_LAG_S, "s", Verdict.DEGRADED, message)]
    return [
        _judge_archive(seen.archive, watched_s),
        _judge_base(seen.base, wall_s),
        _judge_drill(seen.drill, wall_s),
    ]


def _judge_archive(archive: ArchiveView, watched_s: float) -> Judgement:
    def judged(verdict: Verdict, message: str) -> Judgement:
        return Judgement("archive_lag", archive.lag_s, ARCHIVE_LAG_S, "s", verdict, message)

    late = archive.lag_s is not None and archive.lag_s > ARCHIVE_LAG_S
    if late or (not archive.running and watched_s > SILENT_S):
        why = archive.why or "it does not run"
        return judged(Verdict.DEGRADED, f"what was written lately is in this store alone: {why}")
    return judged(Verdict.OK, "behind the store" if archive.lag_s is not None else archive.why or "begins")


def _judge_base(base: BaseView, wall_s: float) -> Judgement:
    hours = None if base.taken_s is None else max(0.0, wall_s - base.taken_s) / _HOUR_S
    limit_hours = None
    if base.taken_s is not None and base.overdue_after_s is not None:
        limit_hours = (base.overdue_after_s - base.taken_s) / _HOUR_S

    def judged(verdict: Verdict, message: str) -> Judgement:
        return Judgement("base_age", hours, limit_hours, "h", verdict, message)

    failed = f"the last {base.failures} tries failed: {base.why}" if base.failures else base.why
    if base.overdue_after_s is not None and wall_s > base.overdue_after_s:
        return judged(Verdict.DEGRADED, f"overdue by two schedules; {failed or 'the archiver is not at it'}")
    if base.damage:
        return judged(Verdict.DEGRADED, f"the last check of the backups found: {base.damage}")
    if base.failures >= MOST_FAILURES:
        return judged(Verdict.DEGRADED, failed)
    if base.taken_s is None:
        return judged(Verdict.OK, failed or "none was taken yet")
    return judged(Verdict.OK, failed or "since the last base")


def _judge_drill(drill: DrillView, wall_s: float) -> Judgement:
    hours = None if drill.ended_s is None else max(0.0, wall_s - drill.ended_s) / _HOUR_S

    def judged(verdict: Verdict, message: str) -> Judgement:
        return Judgement("drill", hours, None, "h", verdict, message)

    if drill.passed is False:
        return judged(Verdict.DEGRADED, f"the last restore that was tried failed: {drill.why}")
    if drill.overdue_after_s is not None and wall_s > drill.overdue_after_s:
        return judged(Verdict.DEGRADED, f"overdue: no restore was tried; {drill.why or 'see the log of the drill'}")
    if drill.passed is None:
        return judged(Verdict.OK, "no restore was tried yet")
    return judged(Verdict.OK, f"since everything was restored and read back, in {drill.rto_s or 0:.0f} s")
