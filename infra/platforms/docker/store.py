"""The store volume: protected, retained, and never replaced."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from infra import names
from infra.plan import StoreVolume


class Store(pulumi.ComponentResource):
    """The volume that outlives everything else.

    Docker volumes have no size, so there is nothing to shrink. Every input of the volume would force its replacement,
    and a replacement with a fixed name deletes the data: changes to them are ignored, and deletion is refused.

    Attributes:
        volume_name: Name of the volume on the host.
    """

    volume_name: pulumi.Output[str]

    def __init__(self, stack: str, store: StoreVolume, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cortex:docker:Store", store.name, None, opts)
        volume = docker.Volume(
            store.name,
            name=names.on_host(stack, store.name),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=True,
                retain_on_delete=True,
                ignore_changes=["driver", "driverOpts", "labels", "name"],
            ),
        )
        self.volume_name = volume.name
        self.register_outputs({"volume_name": self.volume_name})
