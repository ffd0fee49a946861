"""What an archiver tells, for tests: all is well unless said otherwise."""

from dataclasses import replace
from typing import Any

from healthcheck.observation import ArchiveView, BackupView, BaseView, DrillView

NOW_S = 1e9
WELL = BackupView(
    told_wall_s=NOW_S,
    archive=ArchiveView(running=True, lineage="l", synced_s=NOW_S, lag_s=0.4, why=""),
    base=BaseView(
        id="b",
        taken_s=NOW_S - 1800,
        next_s=NOW_S + 1800,
        overdue_after_s=NOW_S + 5400,
        bytes=1000,
        verified_s=NOW_S - 900,
        failures=0,
        damage="",
        why="",
    ),
    drill=DrillView(
        ended_s=NOW_S - 900,
        passed=True,
        rto_s=12.0,
        rpo_s=0.4,
        next_s=NOW_S + 86_400,
        overdue_after_s=NOW_S + 8 * 86_400,
        why="",
    ),
    staging_bytes=1000,
    wal_bytes=1000,
)


def told(archive: dict[str, Any] = {}, base: dict[str, Any] = {}, drill: dict[str, Any] = {}) -> BackupView:  # noqa: B006
    """All is well but for these."""
    return replace(
        WELL,
        archive=replace(WELL.archive, **archive),
        base=replace(WELL.base, **base),
        drill=replace(WELL.drill, **drill),
    )
