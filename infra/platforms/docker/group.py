"""A group of containers on one store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from infra import names
from infra.plan import Container, SecretVolume, Security, StoreGroup
from infra.platforms.docker.labels import labels
from infra.sizing.coefficients import MIB

# Applied neither in place nor by replacement when they change (healthcheck above all): a new container makes them true.
NOT_UPDATED_IN_PLACE = ["healthcheck", "tmpfs", "cpuPeriod", "cpuQuota"]
# The check must have passed once, on top of the start-up budget.
WAIT_BEYOND_STARTUP_S = 60


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
        *,
        images: Mapping[str, pulumi.Input[str]],
        store_volume: pulumi.Input[str],
        secret_volumes: Mapping[SecretVolume, pulumi.Input[str]],
        network: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("cortex:docker:StoreGroup", group.name, None, opts)
        made = [
            docker.Container(
                container.name,
                **container_arguments(stack, container),
                image=images[container.image],
                mounts=[
                    docker.ContainerMountArgs(type="volume", source=store_volume, target=group.store.mount_path),
                    *(
                        docker.ContainerMountArgs(
                            type="volume", source=secret_volumes[secret], target=secret.mount_path, read_only=True
                        )
                        for secret in container.secrets
                    ),
                ],
                network_mode=network,
                networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network, aliases=[container.name])],
                opts=pulumi.ResourceOptions(
                    parent=self, delete_before_replace=True, replace_on_changes=NOT_UPDATED_IN_PLACE
                ),
            )
            for container in group.containers
        ]
        self.server = made[0]
        self.register_outputs({"server": self.server.name})


def container_arguments(stack: str, container: Container) -> dict[str, Any]:
    """The arguments of a Docker container that depend on its plan alone."""
    resources, health = container.resources, container.health
    return {
        "name": names.on_host(stack, container.name),
        "labels": labels(stack, names.SERVICE),
        "envs": [f"{key}={value}" for key, value in sorted(container.environment.items())],
        "memory": resources.memory_limit_bytes // MIB,
        # Equal to memory: no swap. Raising one without the other is refused by Docker.
        "memory_swap": resources.memory_limit_bytes // MIB,
        "memory_reservation": resources.memory_reservation_bytes // MIB,
        "cpus": f"{resources.cpus:g}",
        "ulimits": [docker.ContainerUlimitArgs(name="nofile", soft=resources.open_files, hard=resources.open_files)],
        "healthcheck": docker.ContainerHealthcheckArgs(
            tests=["CMD", *health.command],
            interval=_duration(health.interval_s),
            timeout=_duration(health.timeout_s),
            retries=health.retries,
            start_period=_duration(health.start_period_s),
        ),
        "wait": True,
        "wait_timeout": health.start_period_s + WAIT_BEYOND_STARTUP_S,
        "stop_timeout": container.stop_grace_s,
        # Docker's own grace does not hold when the provider stops a container; without this it is killed at once.
        "destroy_grace_seconds": container.stop_grace_s,
        "restart": "unless-stopped",
        "log_driver": "json-file",
        "log_opts": {"max-size": f"{container.log.max_file_mib}m", "max-file": str(container.log.max_files)},
        "ports": _ports(container),
        **_hardening(container.security),
    }


def _hardening(security: Security) -> dict[str, Any]:
    return {
        "user": f"{security.uid}:{security.gid}",
        "read_only": security.read_only_root,
        "capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"]) if security.drop_all_capabilities else None,
        "security_opts": ["no-new-privileges"] if security.no_new_privileges else [],
        "tmpfs": {path: f"rw,noexec,nosuid,nodev,size={size}" for path, size in security.tmpfs.items()},
    }


def _ports(container: Container) -> Sequence[docker.ContainerPortArgs] | None:
    made = [
        docker.ContainerPortArgs(internal=port.container_port, external=port.host_port, ip=port.host_address)
        for port in container.ports
    ]
    return made or None


def _duration(seconds: int) -> str:
    """Seconds as Docker's API writes them back, so that no later preview sees a change."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{text}{left}s"
