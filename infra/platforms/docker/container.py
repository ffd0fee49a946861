"""One container of a plan as the arguments of a Docker container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from infra import names
from infra.plan import Container, Place, Security
from infra.platforms.docker.labels import labels
from infra.sizing.coefficients import MIB

# Applied neither in place nor by replacement when they change (healthcheck above all): a new container makes them true.
NOT_UPDATED_IN_PLACE = ["healthcheck", "tmpfs", "cpuPeriod", "cpuQuota"]
# The check must have passed once, on top of the start-up budget.
WAIT_BEYOND_STARTUP_S = 60


def arguments(
    stack: str,
    container: Container,
    *,
    image_id: pulumi.Input[str],
    networks: Mapping[str, pulumi.Input[str]],
    file_volume: pulumi.Input[str] | None,
    places: Mapping[str, pulumi.Input[str]],
    more_mounts: Sequence[docker.ContainerMountArgs] = (),
) -> dict[str, Any]:
    """The arguments of a Docker container, but for its name.

    Args:
        stack: Name of the stack.
        container: The container.
        image_id: Its image.
        networks: Names on the host of the stack's networks, by their names in the plan.
        file_volume: Name on the host of the volume with its files.
        places: Names on the host of the volumes it keeps files in, by their names in the plan.
        more_mounts: What else it mounts.
    """
    resources, health = container.resources, container.health
    mounts = [*more_mounts, *(_mounted(place, places) for place in container.places)]
    if container.files is not None and file_volume is not None:
        mounts.append(
            docker.ContainerMountArgs(
                type="volume", source=file_volume, target=container.files.mount_path, read_only=True
            )
        )
    return {
        "image": image_id,
        "command": list(container.command) or None,
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
        "mounts": mounts,
        # Networks get their aliases only when they are connected afterwards; the default one is left before the start.
        "network_mode": "bridge" if container.networks else "none",
        "networks_advanced": [
            docker.ContainerNetworksAdvancedArgs(name=networks[name], aliases=[container.name])
            for name in container.networks
        ],
        **_hardening(container.security),
    }


def _mounted(place: Place, volumes: Mapping[str, pulumi.Input[str]]) -> docker.ContainerMountArgs:
    if place.directory:
        return docker.ContainerMountArgs(
            type="bind", source=place.directory, target=place.mount_path, read_only=place.read_only
        )
    return docker.ContainerMountArgs(
        type="volume", source=volumes[place.name], target=place.mount_path, read_only=place.read_only
    )


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
