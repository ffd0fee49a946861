"""What is worth doing while a planned restart has the server stopped, and how long it will take. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from store.compaction import DROP_ROWS_PER_S, SCAN_ROWS_PER_S, VACUUM_BYTES_PER_S

from healthcheck.limits import Limits
from healthcheck.predicting import rebuild_seconds, stored
from healthcheck.units import human_bytes

COMPACT_MIN_ROWS = 10_000
COMPACT_MIN_BYTES = 64 << 20
"""A share of a small log is not worth a rewrite of the file: one of the two must be there besides."""
RENEW_MIN_TOMBSTONES = 1_000
"""Fewer neither slow a query down nor take room that anybody would miss."""
REMOVE_BYTES_PER_S = 200 << 20
REMOVE_FOLDERS_PER_S = 200
_ROW_BYTES = 300
"""A row of the log without its vector, and its share of SQLite's own structures (measured: 140 to 400)."""
_VECTOR_BYTES = 4


class StepKind(StrEnum):
    """Kinds of maintenance, in the order in which they are done."""

    ORPHANS = "orphans"
    """Remove index folders that belong to no collection."""
    COMPACT = "compact"
    """Drop superseded rows of the log, and shrink the file."""
    RENEW = "renew"
    """Rebuild one index from the log, without its tombstones."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do."""

    kind: StepKind
    message: str
    """The figures that make it worth doing."""
    estimate_s: float
    """How long the store will be away for it, rebuilding after it included."""
    gain_bytes: int
    """What it gives back on disk, about."""
    collection_id: str = ""
    """Whose index, for a renewal."""


@dataclass(frozen=True, slots=True)
class MaintenancePlan:
    """What to do in this window, and what is worth doing but does not fit."""

    steps: tuple[Step, ...] = ()
    left_out: tuple[Step, ...] = ()

    @property
    def estimate_s(self) -> float:
        """Of all steps."""
        return sum(step.estimate_s for step in self.steps)


def plan_maintenance(inspection: Mapping[str, object], limits: Limits) -> MaintenancePlan:
    """Choose the steps.

    Args:
        inspection: what `python -m store inspect --json` prints.
        limits: shares from which on a step is worth it, and the time there is.
    """
    wanted = [
        *_orphans(inspection),
        *_compaction(inspection, limits.compact_share),
        *sorted(_renewals(inspection, limits.renew_share), key=lambda step: step.estimate_s),
    ]
    steps: list[Step] = []
    left_out: list[Step] = []
    left_s = limits.maintenance_limit_s
    for step in wanted:
        fits = step.estimate_s <= left_s
        (steps if fits else left_out).append(step)
        left_s -= step.estimate_s if fits else 0.0
    return MaintenancePlan(tuple(steps), tuple(left_out))


def _orphans(inspection: Mapping[str, object]) -> Iterator[Step]:
    """Any orphan is worth it: it costs milliseconds, and nothing else ever removes it."""
    orphans = _rows(inspection, "orphans")
    if not orphans:
        return
    size = sum(_number(orphan, "bytes") for orphan in orphans)
    estimate_s = len(orphans) / REMOVE_FOLDERS_PER_S + size / REMOVE_BYTES_PER_S
    yield Step(StepKind.ORPHANS, f"{len(orphans):,} folders of deleted collections", estimate_s, size)


def _compaction(inspection: Mapping[str, object], share: float) -> Iterator[Step]:
    rows = _number(inspection, "log_rows")
    superseded = _number(inspection, "superseded_rows")
    gain = sum(
        _number(collection, "superseded_rows") * (_VECTOR_BYTES * _number(collection, "dimensions") + _ROW_BYTES)
        for collection in _rows(inspection, "collections")
    )
    if superseded < share * rows or (superseded < COMPACT_MIN_ROWS and gain < COMPACT_MIN_BYTES):
        return
    rest = max(0, _number(inspection, "sqlite_bytes") - gain)
    estimate_s = rows / SCAN_ROWS_PER_S + superseded / DROP_ROWS_PER_S + rest / VACUUM_BYTES_PER_S
    message = f"{superseded:,} of {rows:,} log rows are superseded, about {human_bytes(gain)}"
    yield Step(StepKind.COMPACT, message, estimate_s, gain)


def _renewals(inspection: Mapping[str, object], share: float) -> Iterator[Step]:
    for collection in _rows(inspection, "collections"):
        elements, tombstones = _number(collection, "index_elements"), _number(collection, "index_tombstones")
        if tombstones < RENEW_MIN_TOMBSTONES or tombstones < share * elements:
            continue
        anew = {"lag_rows": _number(collection, "records"), "dimensions": _number(collection, "dimensions")}
        estimate_s = rebuild_seconds(stored({"collections": [anew]}))
        gain = _number(collection, "index_bytes") * tombstones // max(1, elements)
        message = f"{tombstones:,} of {elements:,} elements of an index are tombstones"
        yield Step(StepKind.RENEW, message, estimate_s, gain, str(collection.get("id", "")))


def _rows(given: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    found = given.get(key)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list | tuple) else []


def _number(given: Mapping[str, object], key: str) -> int:
    """0 where there is none: an index without a readable header is none that could be renewed."""
    found = given.get(key)
    return found if isinstance(found, int) else 0
