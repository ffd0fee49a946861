"""The store's own host: its networks, and the door through which the gateway comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from infra.certificates import AUTHORITY_DAYS
from infra.gateway import configuration, files, guarded, memory, sockets
from infra.gateway.gateway import FOLDER, Guard, Server, StoreDoor
from infra.gateway.gateway import Gateway as Rendered
from infra.plan import DOOR_CERTIFICATE, Certificate, Container, Far, FileVolume, Network, Port, Resources
from infra.settings import Settings, StoreHost
from infra.sizing import with_headroom
from infra.topologies import gateway, guarding, inner
from infra.topologies.parts import (
    CHROMA,
    CHROMA_PORT,
    DATA,
    DOOR,
    EDGE,
    GUARD_PORT,
    health_check,
    open_files,
)
from infra.vocabulary import Purpose

# Of one gateway: a place in front of Chroma has one, checks and what is left of earlier ones a few.
CONNECTIONS, CONNECTIONS_PER_ADDRESS = 512, 256


def rendered(stack: str, settings: Settings) -> Rendered:
    """What the door's configuration is made from."""
    asked = settings.gateway
    return Rendered(
        topology=StoreDoor(
            chroma=Server(CHROMA, CHROMA_PORT, slots=asked.slots, queue=asked.queue), guard=Guard(CHROMA, GUARD_PORT)
        ),
        stack=stack,
        allowance=replace(
            gateway.allowance(settings),
            connections=max(CONNECTIONS, 2 * asked.slots),
            connections_per_address=max(CONNECTIONS_PER_ADDRESS, 2 * asked.slots),
        ),
        patience=gateway.patience(settings),
    )


def memory_limit_bytes(settings: Settings, headroom_percent: int) -> int:
    """The container's memory limit, whole MiB."""
    return with_headroom(memory.memory_bytes(rendered("", settings)), headroom_percent)


def needed_open_files(settings: Settings) -> int:
    """Descriptors that the container needs."""
    return sockets.open_files(rendered("", settings))


def far(
    stack: str,
    settings: Settings,
    host: StoreHost,
    *,
    more_networks: tuple[Network, ...],
    limit_bytes: int,
    hard_limit: int | None,
) -> Far:
    """The other host.

    Args:
        stack: Name of the stack.
        settings: Its settings.
        host: The host that they name.
        more_networks: What else there needs.
        limit_bytes: The door's memory limit.
        hard_limit: Descriptors a container there can be given.
    """
    made = rendered(stack, settings)
    probed = guarded.environment(made)
    door = Container(
        name=DOOR,
        image="gateway",
        environment={
            **guarding.of_any(
                settings,
                url=probed["HEALTH_URL"],
                startup_s=gateway.STARTUP_S,
                stop_grace_s=gateway.STOP_GRACE_S,
            ),
            **probed,
        },
        resources=Resources(
            memory_limit_bytes=limit_bytes,
            memory_reservation_bytes=memory.BASE_BYTES,
            cpus=gateway.CPUS,
            open_files=open_files(needed_open_files(settings), hard_limit),
        ),
        stop_grace_s=gateway.STOP_GRACE_S,
        health=health_check(settings, gateway.STARTUP_S),
        networks=(EDGE.name, DATA.name),
        files=_files(made, settings),
        ports=(Port(Purpose.TLS, made.doors.tls_port, str(host.listen), host.port),),
    )
    return Far(networks=(EDGE, DATA, *more_networks), door=door, certificate=_certificate(stack, settings, host))


def _certificate(stack: str, settings: Settings, host: StoreHost) -> Certificate:
    # Nobody but the stack's own gateway asks for it, and without it the stack stands still: as long as its authority.
    return Certificate(
        names=(gateway.door_name(stack), host.address),
        days=AUTHORITY_DAYS,
        generation=settings.tls.generation,
        given=False,
    )


def _files(made: Rendered, settings: Settings) -> FileVolume:
    words = tuple(word.key for word in inner.words(settings))
    public = configuration.public_files(made)

    def content(secrets: Mapping[str, str]) -> Mapping[str, str]:
        hidden = configuration.door_files([secrets[key] for key in words], secrets[DOOR_CERTIFICATE])
        return {**public, **hidden}

    wanted = (*public, files.INNER_HASHES, files.CERTIFICATE)
    return FileVolume("door-files", str(FOLDER), wanted, (*words, DOOR_CERTIFICATE), content)
