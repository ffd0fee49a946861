"""The plan: what must run, free of any platform.

A store and its one server are one `StoreGroup`. No type here can say "two servers on one store": the group has exactly
one server, and a container cannot mount a store by itself. Only `ApiReplicas` can ask for several of the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from infra.vocabulary import Purpose, Role


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
    """A container port that is published on the host.

    Attributes:
        purpose: What is behind it.
        container_port: Port inside.
        host_address: Address on the host.
        host_port: Port on the host.
    """

    purpose: Purpose
    container_port: int
    host_address: str
    host_port: int


@dataclass(frozen=True, slots=True)
class LogRotation:
    """How much of a container's log is kept on the host."""

    max_file_mib: int = 10
    max_files: int = 5


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the stack.

    Attributes:
        name: Name within the stack.
        internal: Whether it leads nowhere but to its containers. Ports can be published from the others only.
    """

    name: str
    internal: bool = True


@dataclass(frozen=True, slots=True)
class FileVolume:
    """A small volume of files, mounted read-only. Its content is a function of the stack's secrets.

    Attributes:
        name: Name within the stack.
        mount_path: Where the container sees it.
        files: Names of the files.
        secrets: Names of the secrets that the files are made from (`Plan.secrets`).
        content: Secret values by name → text of every file by its name.
    """

    name: str
    mount_path: str
    files: tuple[str, ...]
    secrets: tuple[str, ...]
    content: Callable[[Mapping[str, str]], Mapping[str, str]] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container keeps files that are not the store: a volume of the stack, or a directory of the host.

    Attributes:
        name: Name within the stack.
        mount_path: Where the container sees it.
        directory: The host's directory; empty for a volume.
        read_only: Whether the container may only read there.
        outlives: Whether it stays when the stack is removed.
    """

    name: str
    mount_path: str
    directory: str = ""
    read_only: bool = False
    outlives: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a group.

    Attributes:
        name: Name within the stack.
        image: Key of the image it runs (`infra.images`).
        environment: Variables, never secret.
        networks: Names of its networks; it is found on each under its own name.
        files: Volume with files made from secrets, if it needs any.
        places: Where else it keeps files.
        command: What its guard runs; empty for what the image says.
        ports: Published ports.
        health: Health check.
        stop_grace_s: Time between the request to stop and the kill, seconds.
    """

    name: str
    image: str
    environment: Mapping[str, str]
    resources: Resources
    stop_grace_s: int
    health: HealthCheck
    networks: tuple[str, ...]
    files: FileVolume | None = None
    places: tuple[Place, ...] = ()
    command: tuple[str, ...] = ()
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

    store: StoreVolume
    server: Container
    archiver: Container | None = None

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers of the group, the server first."""
        return (self.server,) if self.archiver is None else (self.server, self.archiver)


@dataclass(frozen=True, slots=True)
class ApiReplicas:
    """The API without a store: as many of the same as are wanted.

    Attributes:
        container: One of them.
        replicas: How many.
    """

    container: Container
    replicas: int


@dataclass(frozen=True, slots=True)
class Word:
    """A random word that the program makes once. Another generation is another word.

    Attributes:
        name: What it is for.
        generation: Which one it is.
        outlives: Whether it stays when the stack is removed.
    """

    name: str
    generation: int
    outlives: bool = False

    @property
    def key(self) -> str:
        """Name of the secret."""
        return f"{self.name}-{self.generation}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The gateway's certificate: given, or made by the program and signed by the stack's own authority.

    Attributes:
        names: Host names and addresses it is good for.
        days: How long one is good for.
        generation: Another one is another certificate.
        given: PEM of certificate, chain and key, a secret; None to have one made.
    """

    names: tuple[str, ...]
    days: int
    generation: int
    given: bool


@dataclass(frozen=True, slots=True)
class Token:
    """An access token: whose word it is, and what its holder may do.

    Attributes:
        name: Its name, in logs and outputs.
        role: What its holder may do.
        words: Keys of the words that are valid, oldest first.
    """

    name: str
    role: Role
    words: tuple[str, ...]


CERTIFICATE = "certificate"
"""Name of the secret with the gateway's certificate, those above it, and its key (PEM)."""
AUTHORITY, AUTHORITY_KEY, DOOR_CERTIFICATE = "authority", "authority-key", "door-certificate"
"""Names of the stack's own authority with its key, and of the certificate of the door on the store's own host."""


@dataclass(frozen=True, slots=True)
class Far:
    """A second host: the store group runs there, and nothing else but the door to it.

    Attributes:
        networks: The networks there.
        door: The one container there that is published.
        certificate: The door's, signed by the stack's own authority.
    """

    networks: tuple[Network, ...]
    door: Container
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Restore:
    """What fills the store from a backup before its server starts, once; a store with data is left alone.

    Attributes:
        image: Key of the image that does it.
        command: What does it; `recover` prints the secrets that the backup carries.
        recover: Likewise.
        environment: Variables of both, never secret.
        memory_limit_bytes: What it may use, bytes.
        limit_s: How long it may take, seconds.
        networks: Names of the networks to the backup.
        places: Where the backup is, if it is on this host, and where it is put together.
        secrets: Names of the secrets that the configuration is made from.
        configuration: Secret values by name → what both read from their standard input.
    """

    image: str
    command: tuple[str, ...]
    recover: tuple[str, ...]
    environment: Mapping[str, str]
    memory_limit_bytes: int
    limit_s: int
    networks: tuple[str, ...]
    places: tuple[Place, ...]
    secrets: tuple[str, ...]
    configuration: Callable[[Mapping[str, str]], str] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that must run for one stack.

    Attributes:
        stack: Name of the stack.
        networks: Its networks, on the gateway's host.
        store_group: The store, and the server that has it open.
        gateway: The one door.
        api: The API, where it is apart from the store.
        drill: Who tries to restore backups, on the host of the store; None without backups or drills.
        restore: A backup that the store begins with; None for one that begins empty.
        words: Random words to make.
        tokens: The access tokens among them.
        certificate: The gateway's certificate.
        far: The host of the store group; None when it is that of all others.
    """

    stack: str
    networks: tuple[Network, ...]
    store_group: StoreGroup
    gateway: Container
    words: tuple[Word, ...]
    tokens: tuple[Token, ...]
    certificate: Certificate
    api: ApiReplicas | None = None
    drill: Container | None = None
    restore: Restore | None = None
    far: Far | None = None

    @property
    def store_containers(self) -> tuple[Container, ...]:
        """Those that are where the store is."""
        return (*self.store_group.containers, *((self.drill,) if self.drill else ()))

    @property
    def containers(self) -> tuple[Container, ...]:
        """Every kind of container, once."""
        return (*self.far_containers, *self.near_containers)

    @property
    def near_containers(self) -> tuple[Container, ...]:
        """Those on the gateway's host."""
        group = self.store_containers if self.far is None else ()
        return (*group, *((self.api.container,) if self.api else ()), self.gateway)

    @property
    def far_containers(self) -> tuple[Container, ...]:
        """Those on the store's own host."""
        return () if self.far is None else (*self.store_containers, self.far.door)

    @property
    def images(self) -> tuple[str, ...]:
        """Keys of the images that are needed."""
        restore = (self.restore.image,) if self.restore else ()
        return tuple(dict.fromkeys((*(container.image for container in self.containers), *restore)))
