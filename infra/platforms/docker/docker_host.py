"""One Docker host: its provider, and what the containers on it refer to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_docker as docker

from infra import names
from infra.images import BuiltImage
from infra.plan import Container, Network, Place
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
    _made: dict[str, pulumi.Output[str]] = field(default_factory=dict)

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
        images = {each.image: self.image(each.image, built[each.image]) for each in containers}
        named = {network.name: self.network(network) for network in networks}
        # Several containers may share a volume; the first one's image writes it.
        of_files = {container.files: container for container in reversed(containers) if container.files is not None}
        file_volumes = {
            files: Files(
                self.stack,
                files,
                secrets,
                image_id=images[container.image],
                security=container.security,
                opts=self.inside,
            ).volume_name
            for files, container in of_files.items()
        }
        places = {place.name: self.volume(place) for each in containers for place in each.places if not place.directory}
        return HostParts(images, named, file_volumes, places)

    def alone(self, container: Container, parts: HostParts) -> docker.Container:
        """A container that belongs to no group: what is published, or has nothing to do with the others."""
        return docker.Container(
            container.name,
            name=names.on_host(self.stack, container.name),
            **parts.arguments(self.stack, container),
            opts=pulumi.ResourceOptions(
                parent=self.component,
                provider=self.provider,
                # Two cannot have the same name, nor the same ports.
                delete_before_replace=True,
                replace_on_changes=NOT_UPDATED_IN_PLACE,
            ),
        )

    def image(self, key: str, built: BuiltImage) -> pulumi.Output[str]:
        """ID of an image that is on this host, made here once."""
        return self._once(f"image {key}", lambda: self._image(key, built))

    def network(self, network: Network) -> pulumi.Output[str]:
        """Name of a network of this host, made once."""
        return self._once(f"network {network.name}", lambda: self._network(network))

    def volume(self, place: Place) -> pulumi.Output[str]:
        """Name of a volume of this host, made once."""
        return self._once(f"volume {place.name}", lambda: self._volume(place))

    def _once(self, what: str, make: Callable[[], pulumi.Output[str]]) -> pulumi.Output[str]:
        if what not in self._made:
            self._made[what] = make()
        return self._made[what]

    def _image(self, key: str, built: BuiltImage) -> pulumi.Output[str]:
        return docker.RemoteImage(
            f"{key}{self.suffix}",
            name=built.reference,
            keep_locally=True,
            opts=pulumi.ResourceOptions(parent=built, provider=self.provider),
        ).image_id

    def _volume(self, place: Place) -> pulumi.Output[str]:
        return docker.Volume(
            place.name,
            name=names.on_host(self.stack, place.name),
            opts=pulumi.ResourceOptions(
                parent=self.component,
                provider=self.provider,
                # Not protected: settings may do without it later, and `up` fails on what is protected and not wanted.
                retain_on_delete=place.outlives,
                # Every input of a volume would force its replacement, and with that the loss of what is in it.
                ignore_changes=["driver", "driverOpts", "labels", "name"],
            ),
        ).name

    def _network(self, network: Network) -> pulumi.Output[str]:
        return docker.Network(
            network.name,
            name=names.on_host(self.stack, network.name),
            driver="bridge",
            internal=network.internal,
            options=HOST_STAYS_OUT if network.internal else None,
            opts=pulumi.ResourceOptions(parent=self.component, provider=self.provider),
        ).name
