"""The way to a server: callers wait while it is restarted, and what a kill interrupts is sent again.

Two layers, because HAProxy waits between two tries to *connect*, but not between two tries of a whole *request*. The
inner layer has the queue and tries to connect for as long as a restart may take. The outer layer keeps the request in
its buffer, and gives it to the inner one again when the server broke off in the middle: only what may be repeated. The
rest gets a 502; with one layer HAProxy would close a connection that has served before without a word.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway.base import NAMES, address
from infra.gateway.gateway import Gateway, Server

# Tries of a request after the first. Each may cost the server a crash, and a guard keeps a server closed that crashes
# too often (HEALTH_CRASHES, 5): a request that kills it must not do that alone.
REPEATS = 2
# A server that comes back elsewhere is found: every third try looks at its address again.
LOOK_AGAIN = 3
WAITED = "x-cortex-waited"
# Uvicorn closes a connection that was idle for a while. If that happens at the moment when a request is sent on it, one
# that may not be repeated is lost: so there each request has a connection of its own. Chroma closes none.
OWN_CONNECTION, SHARED_CONNECTIONS = "option http-server-close", "http-reuse always"


def socket(gateway: Gateway, name: str) -> str:
    """Address of the inner layer."""
    return f"unix@{gateway.runtime_folder}/{name}.sock"


def behind(name: str) -> str:
    """Name of the backend with the servers."""
    return f"{name}_server"


def layers(gateway: Gateway, name: str, servers: list[str], answer_s: int | None = None) -> Iterator[list[str]]:
    """Backend `name` and what is behind it.

    Args:
        gateway: The gateway.
        name: Of the servers.
        servers: Lines of the inner backend.
        answer_s: Longest time that a server takes to answer; that of the gateway's patience if None.
    """
    patience = gateway.patience
    whole_s = patience.queue_s + patience.restart_s + (answer_s or patience.answer_s)
    yield [
        f"backend {name}",
        "    option http-buffer-request",
        # The inner layer answers a loss with 502 on a new connection only; one that has served before it just closes.
        f"    {OWN_CONNECTION}",
        f"    timeout server {whole_s}s",
        "    timeout connect 5s",
        f"    retries {REPEATS}",
        "    retry-on conn-failure empty-response 502",
        f"    server inner {socket(gateway, name)}",
    ]
    yield [
        f"frontend {name}_queue",
        f"    bind {socket(gateway, name)} mode 600",
        f"    maxconn {gateway.allowance.connections}",
        "    no log",
        f"    timeout client {whole_s}s",
        "    http-request set-var(txn.request_id) req.fhdr(x-request-id)",
        f'    http-after-response set-header {WAITED} "%Tw/%Tc/%Tr"',
        f"    default_backend {behind(name)}",
    ]
    yield [f"backend {behind(name)}", *(f"    {line}" for line in servers)]


def lone(gateway: Gateway, name: str, server: Server, connections: str, secured: str = "") -> list[str]:
    """Lines of a backend with one server, which is restarted in place.

    No health check takes it out: a lone server that is marked down is an immediate 503 for everyone.
    """
    return [
        connections,
        # One try a second.
        f"retries {gateway.patience.restart_s}",
        "retry-on conn-failure",
        f"option redispatch {LOOK_AGAIN}",
        f"server {name} {address(server.host, server.port)} maxconn {server.slots} {NAMED_OR_NOWHERE}{secured}",
    ]


# An address where nobody listens, for a name that has none yet: without any, a server is out of service, and its
# callers are turned away instead of waiting. It must be refused as a server that restarts is: what leads out of the
# container is tried without a pause, or not at all. The gateway's own doors have other ports (`Doors`).
NOWHERE = "127.255.255.254"
NAMED_OR_NOWHERE = f"resolvers {NAMES} resolve-prefer ipv4 init-addr libc,{NOWHERE}"
NAMED_LATER = f"resolvers {NAMES} resolve-prefer ipv4 init-addr none"
