"""The store's own host as a component: whatever is made there belongs to it, but for the volume that outlives it."""

from __future__ import annotations

import pulumi

from infra.platforms.docker import providers
from infra.platforms.docker.docker_host import DockerHost
from infra.settings import Registry
from infra.settings import StoreHost as Settings

TYPE = "cortex:docker:StoreHost"


class StoreHost(pulumi.ComponentResource):
    """The other host.

    Attributes:
        host: To make things on it.
    """

    host: DockerHost

    def __init__(
        self, stack: str, settings: Settings, registry: Registry | None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # One name, whichever host it is: an address that is written differently must not replace anything.
        super().__init__(TYPE, "store-host", None, opts)
        provider = providers.far(settings, registry, pulumi.ResourceOptions(parent=self))
        self.host = DockerHost(stack, self, provider, suffix="-far")
        self.register_outputs({})
