"""The plan: what must run, free of any platform.

A store and its one server are one `StoreGroup`. No type here can say "two servers on one store": the group has exactly
one server, no copy count, and a container cannot mount a store by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from infra.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Resources:
    """What a container may use. Bytes; `cpus` in cores; `open_files` is the descriptor limit."""

    memory_limit_bytes: int
    memory_reservation_bytes: int
    cpus: float
    open_files: int


@dataclass(frozen=True, slots=True)
class Security:
    """Hardening of a container. The defaults are what every container gets."""

    uid: int = 10_001
    gid: int = 10_001
    read_only_root: bool = True
    drop_all_capabilities: bool = True
    no_new_privileges: bool = True
    tmpfs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"/tmp": 64 << 20}))  # noqa: S108 - a mount


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A command inside the container that tells whether it is healthy. Times in whole seconds."""

    command: tuple[str, ...]
    interval_s: int
    timeout_s: int
    retries: int
    start_period_s: int


@dataclass(frozen=True, slots=True)
class Port:
    """A container port that is published on the host."""

    container_port: int
    host_address: str
    host_port: int


@dataclass(frozen=True, slots=True)
class LogRotation:
    """How much of a container's log is kept on the host."""

    max_file_mib: int = 10
    max_files: int = 5


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file with the hashes of access tokens, never the tokens themselves."""

    name: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecretVolume:
    """A small volume that holds secret files, mounted read-only."""

    name: str
    mount_path: str
    files: tuple[TokenFile, ...]


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a group.

    Attributes:
        name: Name within the stack.
        image: Key of the image it runs (`infra.images`).
        command: Command line; empty for the image's own.
        environment: Variables, never secret.
        secrets: Volumes with secret files.
        ports: Published ports; the first is where the stack's clients go.
        health: Health check, if any.
        stop_grace_s: Time between the request to stop and the kill, seconds.
    """

    name: str
    image: str
    environment: Mapping[str, str]
    resources: Resources
    stop_grace_s: int
    health: HealthCheck
    secrets: tuple[SecretVolume, ...] = ()
    ports: tuple[Port, ...] = ()
    security: Security = Security()
    log: LogRotation = LogRotation()


@dataclass(frozen=True, slots=True)
class StoreVolume:
    """The volume that outlives everything else.

    Attributes:
        name: Name within the stack.
        mount_path: Where the group's containers see it.
        planned_bytes: Size it is planned for; grows with the settings and is never used to shrink it.
    """

    name: str
    mount_path: str
    planned_bytes: int


@dataclass(frozen=True, slots=True)
class StoreGroup:
    """The containers that share one store and its fate: exactly one server, and room for one archiver beside it."""

    name: str
    store: StoreVolume
    server: Container
    archiver: Container | None = None

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers of the group, the server first."""
        return (self.server,) if self.archiver is None else (self.server, self.archiver)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token that the program makes. A new generation replaces it."""

    name: str
    role: Role
    generation: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that must run for one stack."""

    stack: str
    store_group: StoreGroup
    tokens: tuple[Token, ...]
    images: tuple[str, ...]
