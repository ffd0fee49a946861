"""The API without a store: as many containers as are wanted, replaced one before the other goes."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from infra import names
from infra.plan import ApiReplicas
from infra.platforms.docker.container import NOT_UPDATED_IN_PLACE
from infra.platforms.docker.host_parts import HostParts


class Replicas(pulumi.ComponentResource):
    """The replicas. The gateway finds all of them under one name.

    Attributes:
        containers: Their containers.
    """

    containers: list[docker.Container]

    def __init__(
        self, stack: str, api: ApiReplicas, parts: HostParts, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("cortex:docker:ApiReplicas", api.container.name, None, opts)
        self.containers = []
        for number in range(1, api.replicas + 1):
            made = docker.Container(
                # Without a name on the host Pulumi makes one of this: old and new can then be there together.
                f"{names.on_host(stack, api.container.name)}-{number}",
                **parts.arguments(stack, api.container),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # The first one tries: if it does not get well, the others are not begun. The provider loses track
                    # of what it is creating beside one that failed.
                    depends_on=self.containers[:1],
                    delete_before_replace=False,
                    replace_on_changes=NOT_UPDATED_IN_PLACE,
                ),
            )
            self.containers.append(made)
        self.register_outputs({"containers": [each.name for each in self.containers]})
