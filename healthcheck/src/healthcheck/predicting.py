"""What the data in the store will ask for: memory once everything is loaded, time for rebuilding indexes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from healthcheck.limits import MemoryModel
from healthcheck.units import human_bytes

_REBUILD_ROWS_PER_S_AT_384 = 400.0
"""Rows of 384 dimensions that Chroma puts from the log into an index in a second, less a margin. Measured with 1.5.9 on
two cores: 20,000 in 19.5 s, so 1,000 a second; a busy or slower machine gets two and a half times as long."""
_DIMENSIONS = 384


@dataclass(frozen=True, slots=True)
class Stored:
    """The data, from `python -m store inspect`."""

    collections: int
    vectors: int
    vector_bytes: int
    """4 bytes a dimension, of all vectors."""
    rows_to_replay: int
    """Log rows that are in no saved index."""
    rows_to_replay_at_384: float
    """The same, each weighed by its dimensions."""


def stored(inspection: Mapping[str, object]) -> Stored:
    """Take the figures out of the inspection's JSON."""
    given = inspection.get("collections")
    views = [view for view in given if isinstance(view, dict)] if isinstance(given, list) else []
    return Stored(
        collections=len(views),
        vectors=sum(_whole(view, "records") for view in views),
        vector_bytes=sum(4 * _whole(view, "dimensions") * _whole(view, "records") for view in views),
        rows_to_replay=sum(_whole(view, "lag_rows") for view in views),
        rows_to_replay_at_384=sum(
            _whole(view, "lag_rows") * max(_whole(view, "dimensions"), 1) / _DIMENSIONS for view in views
        ),
    )


def rebuild_seconds(data: Stored) -> float:
    """How much longer than usual the first access to all indexes may take."""
    # Below 128 dimensions the work for a row no longer shrinks with them.
    return max(data.rows_to_replay_at_384, data.rows_to_replay / 3) / _REBUILD_ROWS_PER_S_AT_384


def memory_shortage(model: MemoryModel, data: Stored, limit_bytes: int, whose: str) -> str:
    """The arithmetic, when the data is predicted to need more memory than there is; else empty."""
    needed = model.predicted_bytes(data.collections, data.vectors, data.vector_bytes)
    if needed <= limit_bytes:
        return ""
    per_vector = data.vector_bytes + data.vectors * model.vector_overhead_bytes
    parts = [
        f"server {human_bytes(model.base_bytes)}",
        f"work {human_bytes(model.work_bytes)}",
        f"{data.collections:,} collections {human_bytes(data.collections * model.collection_bytes)}",
        f"{data.vectors:,} vectors {human_bytes(per_vector)}",
    ]
    return (
        f"the data needs {human_bytes(needed)} of memory ({' + '.join(parts)}), and {whose} is "
        f"{human_bytes(limit_bytes)}: raise the memory limit to at least {human_bytes(1.2 * needed)}, or set "
        "HEALTH_ON_MEMORY_SHORT=degraded to start all the same"
    )


def _whole(view: Mapping[str, object], name: str) -> int:
    value = view.get(name)
    return value if isinstance(value, int) else 0
