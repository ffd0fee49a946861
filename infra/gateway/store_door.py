"""The door on a store's own host: TLS, for the gateway of another host alone, to Chroma and to what its guard tells."""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway import files, inner_door
from infra.gateway.base import ADDRESSES, GUARD, GUARD_PATHS
from infra.gateway.far_way import TLS, TOKEN_HEADER
from infra.gateway.gateway import Gateway
from infra.gateway.problem import Problem
from infra.gateway.upstreams import CHROMA
from infra.gateway.waiting import behind

NOT_THE_GATEWAY = Problem(401, "credential-needed", "this door is for the gateway of the stack; ask there")
# A gateway keeps connections for its next requests, and closes them when it needs fewer: it must be the first to, or a
# request could meet the end of its connection. Within seconds (HAProxy's pool-purge-delay) it has.
IDLE_S = 300


def section(gateway: Gateway) -> list[str]:
    """The frontend."""
    return ["frontend store", *(f"    {line}" for line in _lines(gateway))]


def _lines(gateway: Gateway) -> Iterator[str]:
    doors, allowance = gateway.doors, gateway.allowance
    yield f"bind {doors.address}:{doors.tls_port} ssl crt {gateway.folder}/{files.CERTIFICATE} {TLS}"
    yield f"maxconn {allowance.connections}"
    yield f"timeout http-keep-alive {IDLE_S}s"
    yield f"tcp-request connection track-sc0 src table {ADDRESSES}"
    yield f"tcp-request connection reject if {{ sc0_conn_cur({ADDRESSES}) gt {allowance.connections_per_address} }}"
    yield from inner_door.with_credential(gateway, NOT_THE_GATEWAY)
    # What the gateway asks for is in its own log, with the same id; here are strangers, and what Chroma failed at.
    yield "http-request set-log-level silent"
    yield "http-response set-log-level info if { status ge 500 }"
    guard = f"{{ path {GUARD_PATHS} }} {{ method GET HEAD }}"
    yield f"http-request del-header {TOKEN_HEADER} if {guard}"
    # No further rule is asked for these.
    yield f"http-request allow if {guard}"
    yield from inner_door.to_chroma(gateway)
    yield f"use_backend {GUARD} if {guard}"
    yield f"default_backend {behind(CHROMA)}"
