"""A group of containers on one store."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from infra import names
from infra.plan import StoreGroup
from infra.platforms.docker.container import NOT_UPDATED_IN_PLACE
from infra.platforms.docker.host_parts import HostParts

# Whichever topology: the server of a store is replaced by the server of the same store, never joined by it.
SERVER = "server"
# What the group and its server were called when single-node was the only topology.
FORMER_GROUP, FORMER_SERVER = "single-node", "api"


class Group(pulumi.ComponentResource):
    """The containers of a store group, the server first.

    Attributes:
        server: The container that holds the store.
    """

    server: docker.Container

    def __init__(
        self,
        stack: str,
        group: StoreGroup,
        parts: HostParts,
        *,
        store_volume: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        renamed = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=FORMER_GROUP)])
        super().__init__(
            "cortex:docker:StoreGroup", group.store.name, None, pulumi.ResourceOptions.merge(opts, renamed)
        )
        mount = docker.ContainerMountArgs(type="volume", source=store_volume, target=group.store.mount_path)
        made = [
            docker.Container(
                SERVER if container is group.server else container.name,
                name=names.on_host(stack, container.name),
                **parts.arguments(stack, container, more_mounts=[mount]),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # The old one must have let go of the store before the new one opens it.
                    delete_before_replace=True,
                    replace_on_changes=NOT_UPDATED_IN_PLACE,
                    aliases=[pulumi.Alias(name=FORMER_SERVER)] if container is group.server else None,
                ),
            )
            for container in group.containers
        ]
        self.server = made[0]
        self.register_outputs({"server": self.server.name})
