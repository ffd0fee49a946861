"""What all parts of a stack need together."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    store: Sizing
    replica: ReplicaSizing | None
    replicas: int
    gateway_memory_bytes: int
    gateway_open_files: int

    @property
    def beside_bytes(self) -> int:
        """Memory limits of everything but the store's server, bytes."""
        return self.gateway_memory_bytes + (self.replica.memory_limit_bytes * self.replicas if self.replica else 0)
