"""client-server: API replicas without a store, and one Chroma server that has it; the gateway before both."""

from __future__ import annotations

from infra.plan import ApiReplicas, Plan, StoreGroup, StoreVolume
from infra.settings import Settings
from infra.sizing import StackSizing
from infra.topologies import api, backup, chroma, gateway, store_door
from infra.topologies.backup_configuration import KEY
from infra.topologies.parts import APP, DATA, EDGE, STORE_PATH

NETWORKS = (EDGE, APP, DATA)
# Without the store.
NEAR_NETWORKS = (EDGE, APP)
REPLICAS = 2
"""One serves while the other is replaced."""


def replicas(settings: Settings) -> int:
    """How many API replicas there are."""
    return settings.api.replicas or REPLICAS


def plan(
    stack: str,
    settings: Settings,
    need: StackSizing,
    open_files_hard_limit: int | None,
    far_open_files_hard_limit: int | None = None,
) -> Plan:
    """Lay the topology down; arguments as of `infra.topologies.plan`."""
    if need.replica is None:
        raise ValueError("the sizing is of another topology")
    disk_bytes = settings.limits.disk_bytes or need.store.disk_bytes
    host = settings.store_host
    networks = NETWORKS if host is None else NEAR_NETWORKS
    of_store = open_files_hard_limit if host is None else far_open_files_hard_limit
    server = chroma.server(stack, settings, need.store, disk_bytes, of_store)
    one = api.replica(
        stack, settings, need.replica, store=need.store, disk_bytes=disk_bytes, hard_limit=open_files_hard_limit
    )
    made = backup.backups(stack, settings, need.store, gateway.lasting(settings), of_store)
    backup_networks = made.networks if made else ()
    return Plan(
        stack=stack,
        networks=networks if host else (*networks, *backup_networks),
        store_group=StoreGroup(StoreVolume("store", STORE_PATH, disk_bytes), server, made.archiver if made else None),
        api=ApiReplicas(one, need.replicas),
        gateway=gateway.container(stack, settings, need.gateway_memory_bytes, networks, open_files_hard_limit),
        words=(*gateway.words(settings), KEY),
        tokens=gateway.tokens(settings),
        certificate=gateway.certificate(settings),
        drill=made.drill if made else None,
        restore=backup.restore(stack, settings, need.store),
        far=store_door.far(
            stack,
            settings,
            host,
            more_networks=backup_networks,
            limit_bytes=need.door_memory_bytes,
            hard_limit=of_store,
        )
        if host
        else None,
    )
