"""Lineages that nobody can want any more are removed: those that ended before the days that any moment is kept for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backup import records
from backup.gateway import LOG
from backup.target import Target

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Known:
    """A lineage, as its record tells. Times are seconds of the epoch."""

    id: str
    begun_s: float
    whole_s: float | None
    """When it could first be restored; None when it never could."""


def leaving(lineages: Iterable[Known], present: str, days: int, now_s: float) -> tuple[str, ...]:
    """Ids of the lineages that go, oldest first.

    A lineage ends when a later one can be restored. Never the present one, nor the last that can be restored.
    """
    oldest_first = sorted(lineages, key=lambda each: (each.begun_s, each.id))
    going = []
    for number, each in enumerate(oldest_first):
        later = [other.whole_s for other in oldest_first[number + 1 :] if other.whole_s is not None]
        if each.id == present or not later:
            continue
        ended_s = min(later)
        kept_s = days * _DAY_S if each.whole_s is not None else _DAY_S
        if now_s - ended_s > kept_s:
            going.append(each.id)
    return tuple(going)


def retain(target: Target, present: str, days: int, now_s: float) -> tuple[str, ...]:
    """Remove the lineages that go, each with its record; their ids.

    Raises:
        BackupError: not all of them are removed.
    """
    known = [_known(name, record) for name, record in records.read_all(target, records.LINEAGES).items()]
    going = leaving(known, present, days, now_s)
    there = set(target.folders(LOG)) if going else set()
    for name in going:
        if name in there:
            target.remove_folder(f"{LOG}/{name}")
        records.remove(target, records.LINEAGES, name)
    return going


def _known(name: str, record: Mapping[str, object]) -> Known:
    whole_s, begun_s = record.get("whole_s"), record.get("begun_s")
    return Known(
        id=name,
        begun_s=float(begun_s) if isinstance(begun_s, int | float) else 0.0,
        whole_s=float(whole_s) if isinstance(whole_s, int | float) else None,
    )
