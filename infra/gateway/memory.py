"""Memory of a gateway, computed from what it allows."""

from __future__ import annotations

from infra.gateway.gateway import ClientServer, Gateway, Replicas, StoreDoor
from infra.gateway.limits import KIB, MIB

# HAProxy idle 22 MB; the guard 20 MB (measured).
BASE_BYTES = 48 * MIB
# An open connection with TLS that waits for its next request (measured: 23 kB).
CONNECTION_BYTES = 32 * KIB
# Buffers of a request that waits or is being answered, in both layers (measured: 2.2 with bodies of 100 kB).
BUFFERS_PER_REQUEST = 3


def memory_bytes(gateway: Gateway) -> int:
    """Most memory that the gateway's container needs, in bytes: every place and every queue taken by large requests."""
    requests = min(_places(gateway), gateway.allowance.connections)
    buffers_bytes = BUFFERS_PER_REQUEST * requests * gateway.buffers.bytes_each
    return BASE_BYTES + gateway.allowance.connections * CONNECTION_BYTES + buffers_bytes


def _places(gateway: Gateway) -> int:
    """Requests that can be in the gateway at once before it answers 503."""
    topology = gateway.topology
    places = 0
    if (api := gateway.api) is not None:
        places += api.queue + api.slots * (api.most if isinstance(api, Replicas) else 1)
    if isinstance(topology, ClientServer | StoreDoor):
        places += topology.chroma.queue + topology.chroma.slots
    return places
