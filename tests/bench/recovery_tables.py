"""What was measured of recovery, as tables."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.recovery_memory import Memory, Where
from tests.bench.recovery_point import Disaster
from tests.bench.recovery_time import Size

_CONSOLE = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def points(disasters: Sequence[Disaster]) -> None:
    """What was lost."""
    lost_s = [each.cut.rpo_s for each in disasters]
    table = Table(
        "disasters", "RPO median", "RPO worst", "oldest state", "most rows lost", "wrong or missing", "restore median"
    )
    table.add_row(
        str(len(disasters)),
        f"{statistics.median(lost_s):.2f} s",
        f"{max(lost_s):.2f} s",
        f"{max(each.age_s for each in disasters):.2f} s",
        str(max(each.cut.lost_rows for each in disasters)),
        str(sum(each.wrong_rows for each in disasters)),
        f"{statistics.median(each.restore_s for each in disasters):.1f} s",
    )
    _CONSOLE.print(table)


def sizes(found: Sequence[Size]) -> None:
    """Times to serve again, pauses by a base, what is stored."""
    _times(found)
    _pauses(found)
    _costs(found)


def memory(found: Memory, limits: Mapping[Where, int]) -> None:
    """Peaks. Args: limits: in bytes."""
    table = Table("where", "program", "peak RSS", "sizing counts on")
    for (where, name), peak in sorted(found.peaks.items()):
        table.add_row(where, name, f"{peak / 1e6:.0f} MB", "")
    for where, peak in sorted(found.together.items()):
        table.add_row(where, "together", f"{peak / 1e6:.0f} MB", f"{limits[where] / 1e6:.0f} MB")
    _CONSOLE.print(table)


def _times(found: Sequence[Size]) -> None:
    table = Table("rows", "way", "restore", "start", "first right answer", "in all", "against cp -a", "rows to apply")
    for size in found:
        stock = size.ways[-1]
        for each in size.ways:
            table.add_row(
                f"{size.rows:,}",
                each.way,
                *(f"{seconds:.1f} s" for seconds in (each.restore_s, each.start_s, each.answer_s, each.seconds)),
                f"{each.seconds / stock.seconds:.1f}x",
                "" if each.rows_to_apply is None else f"{each.rows_to_apply:,}",
            )
    _CONSOLE.print(table)


def _pauses(found: Sequence[Size]) -> None:
    table = Table("rows", "base", "requests", "beside it: median", "slowest", "failed", "without: median", "slowest")
    for size in found:
        pause = size.pause
        for name, beside, plain in (
            ("writes", pause.writes, pause.plain_writes),
            ("reads", pause.reads, pause.plain_reads),
        ):
            table.add_row(
                f"{pause.rows:,}",
                f"{pause.base_s:.1f} s",
                f"{len(beside.took_s):,} {name}",
                f"{1e3 * beside.median_s:.0f} ms",
                f"{1e3 * beside.slowest_s:.0f} ms",
                str(len(beside.failed)),
                f"{1e3 * plain.median_s:.0f} ms",
                f"{1e3 * plain.slowest_s:.0f} ms",
            )
    _CONSOLE.print(table)


def _costs(found: Sequence[Size]) -> None:
    table = Table(
        "rows", "bytes/row: store", "archive", "bases", "base", "again", "cp -a", "restic", "base / cp, restic"
    )
    for size in found:
        stored, cost = size.stored, size.cost
        table.add_row(
            f"{size.rows:,}",
            *(f"{each:,.0f}" for each in (stored.store, stored.archive, stored.bases)),
            *(f"{each:.1f} s" for each in (cost.base_s, cost.again_s, cost.copy_s, cost.restic_s)),
            f"{cost.base_s / cost.copy_s:.1f}x, {cost.base_s / cost.restic_s:.1f}x",
        )
    _CONSOLE.print(table)
