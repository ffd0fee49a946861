"""One Docker host: its provider, and what the containers on it refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra import names
from infra.images import BuiltImage
from infra.plan import Container, Network
from infra.platforms.docker.container import NOT_UPDATED_IN_PLACE
from infra.platforms.docker.file_volume import Files
from infra.platforms.docker.host_parts import HostParts

# The bridge gets no address: without one the host has no way to the containers either.
HOST_STAYS_OUT = {"com.docker.network.bridge.inhibit_ipv4": "true"}


@dataclass(frozen=True)
class DockerHost:
    """A host as the program makes things on it.

    Attributes:
        stack: Name of the stack.
        component: What they belong to.
        provider: The way to its daemon.
        suffix: What tells its images from the same ones on another host.
    """

    stack: str
    component: pulumi.Resource
    provider: docker.Provider
    suffix: str = ""

    @property
    def inside(self) -> pulumi.ResourceOptions:
        """Options of a component on this host."""
        return pulumi.ResourceOptions(parent=self.component, providers={"docker": self.provider})

    def parts(
        self,
        networks: Sequence[Network],
        containers: Sequence[Container],
        built: Mapping[str, BuiltImage],
        secrets: Mapping[str, pulumi.Output[str]],
    ) -> HostParts:
        """Make what these containers refer to.

        Args:
            networks: The networks of this host.
            containers: The containers of this host.
            built: The images by their keys.
            secrets: The stack's secrets by their names.
        """
        images = {key: self._image(key, built[key]) for key in dict.fromkeys(each.image for each in containers)}
        named = {network.name: self._network(network) for network in networks}
        file_volumes = {
            container.files: Files(
                self.stack,
                container.files,
                secrets,
                image_id=images[container.image],
                security=container.security,
                opts=self.inside,
            ).volume_name
            for container in containers
            if container.files is not None
        }
        return HostParts(images, named, file_volumes)

    def published(self, container: Container, parts: HostParts) -> docker.Container:
        """The one container of this host that others reach."""
        return docker.Container(
            container.name,
            name=names.on_host(self.stack, container.name),
            **parts.arguments(self.stack, container),
            opts=pulumi.ResourceOptions(
                parent=self.component,
                provider=self.provider,
                # Two cannot have the same ports.
                delete_before_replace=True,
                replace_on_changes=NOT_UPDATED_IN_PLACE,
            ),
        )

    def _image(self, key: str, built: BuiltImage) -> pulumi.Output[str]:
        return docker.RemoteImage(
            f"{key}{self.suffix}",
            name=built.reference,
            keep_locally=True,
            opts=pulumi.ResourceOptions(parent=built, provider=self.provider),
        ).image_id

    def _network(self, network: Network) -> pulumi.Output[str]:
        return docker.Network(
            network.name,
            name=names.on_host(self.stack, network.name),
            driver="bridge",
            internal=network.internal,
            options=HOST_STAYS_OUT if network.internal else None,
            opts=pulumi.ResourceOptions(parent=self.component, provider=self.provider),
        ).name
