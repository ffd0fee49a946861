"""What containers on one Docker host refer to: images, networks and volumes of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.plan import Container, FileVolume
from infra.platforms.docker import container as rendering


@dataclass(frozen=True)
class HostParts:
    """Parts by the names the plan gives them.

    Attributes:
        images: IDs of the images on the host.
        networks: Names of the networks on the host.
        file_volumes: Names of the volumes on the host, known once they are filled.
        places: Names of the volumes on the host that containers keep files in.
    """

    images: Mapping[str, pulumi.Input[str]]
    networks: Mapping[str, pulumi.Input[str]]
    file_volumes: Mapping[FileVolume, pulumi.Input[str]]
    places: Mapping[str, pulumi.Input[str]]

    def arguments(
        self, stack: str, container: Container, *, more_mounts: Sequence[docker.ContainerMountArgs] = ()
    ) -> dict[str, Any]:
        """The arguments of a Docker container, but for its name."""
        return rendering.arguments(
            stack,
            container,
            image_id=self.images[container.image],
            networks=self.networks,
            file_volume=self.file_volumes[container.files] if container.files else None,
            places=self.places,
            more_mounts=more_mounts,
        )
