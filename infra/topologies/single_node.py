"""single-node: the API with Chroma embedded, exactly one process on one store, behind the gateway."""

from __future__ import annotations

from infra.plan import Plan, StoreGroup, StoreVolume
from infra.settings import Settings
from infra.sizing import StackSizing
from infra.topologies import api, backup, gateway
from infra.topologies.backup_configuration import KEY
from infra.topologies.parts import DATA, EDGE, STORE_PATH

NETWORKS = (EDGE, DATA)


def plan(stack: str, settings: Settings, need: StackSizing, open_files_hard_limit: int | None) -> Plan:
    """Lay the topology down; arguments as of `infra.topologies.plan`."""
    disk_bytes = settings.limits.disk_bytes or need.store.disk_bytes
    server = api.embedded(stack, settings, need.store, disk_bytes, open_files_hard_limit)
    made = backup.backups(stack, settings, need.store, gateway.lasting(settings), open_files_hard_limit)
    return Plan(
        stack=stack,
        networks=(*NETWORKS, *(made.networks if made else ())),
        store_group=StoreGroup(StoreVolume("store", STORE_PATH, disk_bytes), server, made.archiver if made else None),
        gateway=gateway.container(stack, settings, need.gateway_memory_bytes, NETWORKS, open_files_hard_limit),
        words=(*gateway.words(settings), KEY),
        tokens=gateway.tokens(settings),
        certificate=gateway.certificate(settings),
        drill=made.drill if made else None,
        restore=backup.restore(stack, settings, need.store),
    )
