"""What all parts of a stack need together."""

from __future__ import annotations

from dataclasses import dataclass

from infra.sizing.backups import BackupSizing
from infra.sizing.replica import ReplicaSizing
from infra.sizing.sizing import Sizing


@dataclass(frozen=True, slots=True)
class StackSizing:
    """What a whole stack needs.

    Attributes:
        store: Whoever holds the store.
        replica: One API without a store; None where there is none.
        replicas: How many of those.
        gateway_memory_bytes: Memory limit of the gateway.
        gateway_open_files: Descriptors the gateway needs.
        door_memory_bytes: Memory limit of the door on the store's own host; 0 without such a host.
        door_open_files: Descriptors that the door needs.
        archiver_memory_bytes: Memory limit of the archiver, beside the store; 0 without backups.
        drill_memory_bytes: Memory limit of the drill, which it needs while one runs; 0 without drills.
        backups: Disk that backups take; None without backups.
    """

    store: Sizing
    replica: ReplicaSizing | None
    replicas: int
    gateway_memory_bytes: int
    gateway_open_files: int
    door_memory_bytes: int = 0
    door_open_files: int = 0
    archiver_memory_bytes: int = 0
    drill_memory_bytes: int = 0
    backups: BackupSizing | None = None

    @property
    def backup_bytes(self) -> int:
        """Memory limits of archiver and drill, on the store's host, bytes."""
        return self.archiver_memory_bytes + self.drill_memory_bytes

    @property
    def beside_bytes(self) -> int:
        """Memory limits of gateway and replicas, bytes."""
        return self.gateway_memory_bytes + (self.replica.memory_limit_bytes * self.replicas if self.replica else 0)
