"""What a gateway stands in front of, and where it listens. The types hold the topologies and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from infra.gateway.limits import Allowance, Buffers, Patience

FOLDER = PurePosixPath("/run/cortex/gateway")
RUNTIME_FOLDER = PurePosixPath("/tmp/cortex")  # noqa: S108 - a tmpfs of the container


@dataclass(frozen=True, slots=True)
class Server:
    """One server that is restarted in place: its callers wait for it.

    Attributes:
        host: Name or address. A name is asked for again every second.
        port: Its port.
        slots: Requests it gets at once; more wait in the queue.
        queue: Requests that may wait; one more is answered with 503 at once.
    """

    host: str
    port: int
    slots: int
    queue: int = 256


@dataclass(frozen=True, slots=True)
class Replicas:
    """Servers behind one name, as many as the name has addresses: their number is not part of the configuration.

    Attributes:
        host: The name.
        port: Port of each.
        slots: Requests each gets at once.
        most: How many there may be.
        queue: Requests that may wait in all.
    """

    host: str
    port: int
    slots: int
    most: int = 16
    queue: int = 256


@dataclass(frozen=True, slots=True)
class Guard:
    """The guard of the store: whether it serves, and whether it takes writes."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SingleNode:
    """The API with Chroma embedded."""

    api: Server
    guard: Guard


@dataclass(frozen=True, slots=True)
class Far:
    """That Chroma and its guard are on another host, behind its store door: the way there is TLS, with the credential.

    Attributes:
        name: A DNS name in the door's certificate. HAProxy 2.6 compares no addresses (tried: such a name of a
            certificate is never found).
    """

    name: str


@dataclass(frozen=True, slots=True)
class ClientServer:
    """API replicas, and the Chroma server that they reach by the inner door.

    Attributes:
        far: Set if `chroma` and `guard` are both the store door of another host.
    """

    api: Replicas
    chroma: Server
    guard: Guard
    far: Far | None = None


@dataclass(frozen=True, slots=True)
class StoreDoor:
    """The door on a store's own host, for the gateway of another: nothing else there is published."""

    chroma: Server
    guard: Guard


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the gateway listens: on ports that none of the servers behind it has (`waiting.NOWHERE`).

    Attributes:
        tls_port: For callers; of a store door, for the gateway.
        plain_port: For callers without TLS, if that was asked for.
        inner_port: For the API's way to Chroma; only with a Chroma server.
        metrics_port: Metrics, and the gateway's own health.
        address: Address of all of them; empty for all of the container's.
    """

    tls_port: int = 8443
    plain_port: int | None = None
    inner_port: int = 8001
    metrics_port: int = 8405
    address: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything the configuration is made from; no secret among it.

    Attributes:
        topology: What it stands in front of.
        stack: Name of the stack, in every line of the log.
        threads: Threads of HAProxy. One carries several times what Chroma answers; with two, what a request passes
            is handed from one to the other (measured at one caller: 0.4 ms more in the middle, twice the p99).
        name_servers: `address:port`; empty for those of /etc/resolv.conf.
        folder: Where the files are (`infra.gateway.files`).
        runtime_folder: Where sockets are made.
    """

    topology: SingleNode | ClientServer | StoreDoor
    stack: str = ""
    doors: Doors = field(default_factory=Doors)
    allowance: Allowance = field(default_factory=Allowance)
    patience: Patience = field(default_factory=Patience)
    buffers: Buffers = field(default_factory=Buffers)
    threads: int = 1
    name_servers: tuple[str, ...] = ()
    folder: PurePosixPath = FOLDER
    runtime_folder: PurePosixPath = RUNTIME_FOLDER

    @property
    def has_chroma(self) -> bool:
        """Whether there is a Chroma server of its own, with callers who may use it."""
        return isinstance(self.topology, ClientServer)

    @property
    def api(self) -> Server | Replicas | None:
        """The API behind it; a store door has none."""
        return None if isinstance(self.topology, StoreDoor) else self.topology.api

    @property
    def far(self) -> Far | None:
        """Set if Chroma is on another host."""
        return self.topology.far if isinstance(self.topology, ClientServer) else None
