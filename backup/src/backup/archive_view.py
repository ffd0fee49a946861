"""What the archiver shows of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArchiveView:
    """At one moment. Times are seconds of the epoch."""

    running: bool = False
    lineage: str = ""
    synced_s: float | None = None
    """Up to when everything is known to be at the target."""
    measured_lag_s: float | None = None
    """How far the target was behind when that was measured; None while measuring fails."""
    why: str = "begins"
    """Why it does not run or lags; empty when all is well."""
    transaction: int = 0
    """The newest at the target."""
    staging_bytes: int = 0
    wal_bytes: int = 0
    starts: int = 0
    """Of Litestream, by this process."""
    gaps: int = 0
    """Lineages that were begun because another could not go on."""
    failures: int = 0
    """Measurements that failed, by this process."""

    def lag_s(self, now_s: float) -> float | None:
        """How far the target is behind the store; None before anything ever arrived there."""
        if self.running and self.measured_lag_s is not None:
            return self.measured_lag_s
        return None if self.synced_s is None else max(0.0, now_s - self.synced_s)
