"""Topologies: settings and sizing in, a plan out. Each is written once, for every platform."""

from __future__ import annotations

from infra import embedding_models, sizing
from infra.gateway.limits import Allowance
from infra.plan import Plan
from infra.settings import Settings
from infra.sizing import StackSizing, at_horizon
from infra.sizing.coefficients import EMBEDDED, MIB, OWN_VECTORS, REPLICA, REPLICA_OWN_VECTORS, SERVER
from infra.topologies import backup, client_server, gateway, single_node, store_door
from infra.vocabulary import Topology

NATIVE_BODY_BYTES = Allowance().body_bytes
"""Chroma's own clients may send as much to Chroma's server."""


def sized(settings: Settings) -> StackSizing:
    """What the stack's corpus needs in its topology."""
    corpus = at_horizon(settings.corpus)
    has_model = embedding_models.KNOWN[settings.corpus.model].runs_locally
    api, headroom = settings.api, settings.limits.headroom_percent
    apart = settings.topology is Topology.CLIENT_SERVER
    alone = EMBEDDED if has_model else OWN_VECTORS
    store = sizing.size(
        corpus,
        SERVER if apart else alone,
        concurrent_requests=settings.gateway.slots if apart else api.max_concurrent_requests,
        request_body_bytes=max(NATIVE_BODY_BYTES if apart else 0, api.max_body_mib * MIB),
        headroom_percent=headroom,
        disk_percent=settings.health.disk_percent,
    )
    replica = sizing.size_replica(
        corpus,
        REPLICA if has_model else REPLICA_OWN_VECTORS,
        concurrent_requests=api.max_concurrent_requests,
        request_body_bytes=api.max_body_mib * MIB,
        headroom_percent=headroom,
    )
    return StackSizing(
        store=store,
        replica=replica if apart else None,
        replicas=client_server.replicas(settings) if apart else 0,
        gateway_memory_bytes=gateway.memory_limit_bytes(settings, headroom),
        gateway_open_files=gateway.needed_open_files(settings),
        door_memory_bytes=store_door.memory_limit_bytes(settings, headroom) if settings.store_host else 0,
        door_open_files=store_door.needed_open_files(settings) if settings.store_host else 0,
        archiver_memory_bytes=backup.archiver_memory_bytes(settings),
        drill_memory_bytes=backup.drill_memory_bytes(settings, store),
        backups=backup.disk(settings, store),
    )


def plan(
    stack: str,
    settings: Settings,
    need: StackSizing,
    open_files_hard_limit: int | None,
    far_open_files_hard_limit: int | None = None,
) -> Plan:
    """Lay the stack's topology down.

    Args:
        stack: Name of the stack.
        settings: Its settings.
        need: Its sizing (`sized`).
        open_files_hard_limit: What the host grants a container at most; None when it is not known.
        far_open_files_hard_limit: The same of the store's own host, if it has one.
    """
    if settings.topology is Topology.CLIENT_SERVER:
        return client_server.plan(stack, settings, need, open_files_hard_limit, far_open_files_hard_limit)
    return single_node.plan(stack, settings, need, open_files_hard_limit)
