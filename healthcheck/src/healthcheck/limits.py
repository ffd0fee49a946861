"""The settings that observing, judging and deciding need, each with its default and where that comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MEMORY_PERCENT = 85.0
"""Alert level for memory (docs/health.md)."""
DISK_PERCENT = 80.0
"""Alert level for disk; a full disk stops Chroma for good, so it is lower."""


class ServerKind(StrEnum):
    """What the guard runs."""

    API = "api"
    """The Cortex API with Chroma embedded; it has its own canary and warm-up."""
    CHROMA = "chroma"
    """`chroma run`; the guard asks it through its own HTTP interface."""
    NONE = "none"
    """A server without a store."""


@dataclass(frozen=True, slots=True)
class MemoryModel:
    """Resident memory of a server that has loaded every index, in bytes (docs/sizing.md)."""

    base_bytes: int
    vector_overhead_bytes: int
    collection_bytes: int
    work_bytes: int

    def predicted_bytes(self, collections: int, vectors: int, vector_bytes: int) -> int:
        """Memory right after a restart with everything loaded.

        Args:
            collections: number of collections.
            vectors: live records in all.
            vector_bytes: their raw size, 4 bytes a dimension.
        """
        per_vector = vector_bytes + vectors * self.vector_overhead_bytes
        return self.base_bytes + self.work_bytes + collections * self.collection_bytes + per_vector


@dataclass(frozen=True, slots=True)
class Limits:
    """Each field is the variable HEALTH_<NAME> (docs/health.md)."""

    server: ServerKind = ServerKind.API
    url: str = "http://127.0.0.1:8080/healthz"
    store_path: str = "/data"
    store_bytes: int | None = None
    timeout_s: float = 5.0
    memory_percent: float = MEMORY_PERCENT
    memory_recycle_percent: float = 93.0
    disk_percent: float = DISK_PERCENT
    disk_stop_percent: float = 95.0
    hysteresis_points: float = 3.0
    canary_interval_s: float = 60.0
    canary_max_age_s: float = 180.0
    wedged_after_s: float = 90.0
    max_collections: int = 100
    memory_model: MemoryModel | None = None
    maintenance: str = "sun 03:00 120m"
    maintenance_limit_s: float = 1800.0
    compact_share: float = 0.3
    renew_share: float = 0.5
    scrub_interval_s: float = 86_400.0
    """0 = never."""
    certificate: str = ""
    """PEM file that the server shows to its clients; empty when it shows none."""
    backups: bool = False
    """Whether an archiver is beside the server."""
