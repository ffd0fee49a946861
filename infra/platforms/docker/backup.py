"""A backup that a stack begins with, on Docker: one container reads its secrets, another its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pulumi

from infra.docker_endpoint import Endpoint
from infra.images import BuiltImage
from infra.plan import Network, Place, Plan, Restore, Security
from infra.platforms.docker.docker_host import DockerHost
from infra.restored import Restored
from infra.settings import StoreHost

RECOVER_LIMIT_S = 600


class Backup:
    """The backup of `Plan.restore`."""

    def __init__(
        self,
        plan: Plan,
        host: DockerHost,
        built: Mapping[str, BuiltImage],
        store_host: StoreHost | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Nothing is read yet.

        Args:
            plan: The plan.
            host: Where the store is.
            built: The images by their keys.
            store_host: The way to that host, if it is not the gateway's.
            opts: Of the resources.
        """
        if plan.restore is None:
            raise ValueError("the plan begins with no backup")
        self._plan = plan
        self._restore: Restore = plan.restore
        self._host = host
        self._image = host.image(self._restore.image, built[self._restore.image])
        # Secret as a whole: it may hold the key to the other daemon.
        self._docker = pulumi.Output.secret(asdict(Endpoint.of(store_host))) if store_host else None
        self._opts = opts
        self._configuration: pulumi.Output[str] | None = None

    def secrets(self, opening: Mapping[str, pulumi.Output[str]]) -> pulumi.Output[dict[str, str]]:
        """The secrets that the backup carries, by name.

        Args:
            opening: Values of `Restore.secrets`, with which the backup is opened.
        """
        named = {name: opening[name] for name in self._restore.secrets}
        # Of no outputs at all Pulumi makes a list.
        configuration = pulumi.Output.all(**named).apply(lambda values: self._restore.configuration(dict(values)))
        self._configuration = pulumi.Output.secret(configuration)
        part = "recover"
        container = self._container(part, self._restore.recover, [], RECOVER_LIMIT_S)
        wanted = " ".join(self._restore.recover)
        return Restored(part, container, self._configuration, wanted, self._opts).secrets

    def restored(self, volume: pulumi.Output[str]) -> pulumi.Output[str]:
        """The store's volume, known once its data is there.

        Raises:
            ValueError: The secrets were not asked for before.
        """
        if self._configuration is None:
            raise ValueError("the secrets come first")
        part, path = "restore", self._plan.store_group.store.mount_path
        mount = volume.apply(lambda name: f"type=volume,source={name},target={path}")
        container = self._container(part, self._restore.command, [mount], self._restore.limit_s)
        done = Restored(part, container, self._configuration, " ".join(self._restore.command), self._opts)
        return pulumi.Output.all(volume, done.id).apply(lambda parts: str(parts[0]))

    def _container(
        self, part: str, command: tuple[str, ...], mounts: list[pulumi.Output[str]], limit_s: int
    ) -> dict[str, Any]:
        restore, security = self._restore, Security()
        networks = [self._host.network(Network(name, internal=False)) for name in restore.networks]
        places = [self._mounted(place) for place in restore.places]
        return {
            "stack": self._plan.stack,
            "part": part,
            "image": self._image,
            "command": list(command),
            "environment": dict(restore.environment),
            "user": f"{security.uid}:{security.gid}",
            "memory_bytes": restore.memory_limit_bytes,
            "network": networks[0] if networks else "",
            "mounts": [*mounts, *places],
            "limit_s": limit_s,
            "docker": self._docker,
        }

    def _mounted(self, place: Place) -> pulumi.Output[str]:
        end = f",target={place.mount_path}{',readonly' if place.read_only else ''}"
        if place.directory:
            # A line of CSV: a directory's name may have commas and quotes.
            source = place.directory.replace('"', '""')
            return pulumi.Output.from_input(f'type=bind,"source={source}"{end}')
        return pulumi.Output.concat("type=volume,source=", self._host.volume(place), end)
