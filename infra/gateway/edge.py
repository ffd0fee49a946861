"""The door for callers: TLS, rates, tokens, then the way to whoever answers."""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway import asked, files, holder
from infra.gateway.access_log import FORMAT
from infra.gateway.base import ADDRESSES, HOLDERS, WELL
from infra.gateway.endpoint import Target
from infra.gateway.far_way import credential
from infra.gateway.gateway import ClientServer, Gateway, Replicas, StoreDoor
from infra.gateway.limits import RATE_WINDOW_S
from infra.gateway.native import ROOT
from infra.gateway.problem import Problem, retry_after
from infra.gateway.table import OPEN, STORES
from infra.gateway.upstreams import API, API_STREAM, CHROMA, READY, SAID_AFTER, closed
from infra.gateway.waiting import WAITED, behind

# One year; browsers that open /docs then never try plain HTTP.
HSTS = "max-age=31536000"
TOO_MANY = Problem(
    429, "too-many-requests", "more requests a second than one caller may send; slow down", retry_after(1)
)
CLOSED_STORE = Problem(
    507,
    "store-not-writable",
    "the store takes no writes: its disk is nearly full, or its guard is at work on it; reading goes on",
    (("Retry-After", f"%[var({SAID_AFTER},60)]"),),
)
BUSY = Problem(503, "busy", "too many requests wait already; send again in a second", retry_after(1))
NO_CHROMA = Problem(
    501,
    "not-in-this-topology",
    "this stack is single-node: Chroma runs inside the API and has no interface of its own; use /v1, or set "
    "cortex:topology to client-server (the data stays)",
)
NOT_IMPLEMENTED = Problem(
    501, "not-implemented", "Chroma declares this endpoint and does not implement it outside of its own cloud"
)
NOT_READY = Problem(503, "unavailable", "the servers behind the gateway are not ready", retry_after(5))


def section(gateway: Gateway) -> list[str]:
    """The frontend."""
    return [
        "frontend edge",
        *(f"    {line}" for line in _opened(gateway)),
        *(f"    {line}" for line in _rules(gateway)),
        *(f"    {line}" for line in _sent_on(gateway)),
    ]


def _opened(gateway: Gateway) -> Iterator[str]:
    doors, allowance = gateway.doors, gateway.allowance
    yield f"bind {doors.address}:{doors.tls_port} ssl crt {gateway.folder}/{files.CERTIFICATE} alpn h2,http/1.1"
    if doors.plain_port is not None:
        yield f"bind {doors.address}:{doors.plain_port}"
    yield f"maxconn {allowance.connections}"
    # A caller that is about to use an open connection again must not find it closed by a reload.
    yield "option idle-close-on-response"
    yield f"log-format '{FORMAT}'"
    yield f"tcp-request connection track-sc0 src table {ADDRESSES}"
    yield f"tcp-request connection reject if {{ sc0_conn_cur({ADDRESSES}) gt {allowance.connections_per_address} }}"


def _rules(gateway: Gateway) -> Iterator[str]:
    allowance = gateway.allowance
    yield from asked.identified()
    yield f'http-after-response set-header strict-transport-security "{HSTS}" if {{ ssl_fc }}'
    yield from asked.arrived(gateway)
    yield from asked.well_formed(gateway)
    yield from _healthz(gateway)
    busy_address = f"{{ sc0_http_req_rate({ADDRESSES}) gt {RATE_WINDOW_S * allowance.requests_per_s_per_address} }}"
    yield f"http-request {TOO_MANY.returned()} if {busy_address}"
    if not gateway.has_chroma:
        yield f"http-request {NO_CHROMA.returned()} if {{ path {ROOT} }} or {{ path_beg {ROOT}/ }}"
    yield from asked.looked_up(gateway)
    yield from holder.known(gateway)
    yield f"http-request track-sc1 var(txn.name) table {HOLDERS} if {{ var(txn.name) -m found }}"
    busy_holder = f"{{ sc1_http_req_rate({HOLDERS}) gt {RATE_WINDOW_S * allowance.requests_per_s_per_token} }}"
    yield f"http-request {TOO_MANY.returned()} if {busy_holder}"
    yield from holder.may(gateway)
    if gateway.has_chroma:
        yield f"http-request {NOT_IMPLEMENTED.returned()} if {{ var(txn.target) -m str {Target.NOBODY} }}"
    yield from asked.bounded(gateway)
    yield f"http-request {CLOSED_STORE.returned()} if {{ var(txn.store) -m str {STORES} }} {closed()}"
    yield from _not_too_many(gateway)


def _healthz(gateway: Gateway) -> Iterator[str]:
    asked_for = "{ path /healthz } { method GET HEAD }"
    yield f"http-request set-log-level silent if {asked_for}"
    parts = [f"{{ nbsrv({READY}) eq 0 }}"]
    if isinstance(gateway.api, Replicas):
        parts.append(f"{{ nbsrv({behind(API)}) eq 0 }}")
    for part in parts:
        yield f"http-request {NOT_READY.returned()} if {asked_for} {part}"
    yield f"http-request {WELL} if {asked_for}"


def _not_too_many(gateway: Gateway) -> Iterator[str]:
    if gateway.api is not None:
        to_api = f"{{ var(txn.target) -m str {Target.API} }}"
        yield f"http-request {BUSY.returned()} if {to_api} {{ queue({behind(API)}) ge {gateway.api.queue} }}"
    yield from full_queue(gateway)


def full_queue(gateway: Gateway) -> Iterator[str]:
    """Turn away what would have to wait behind too many others for Chroma."""
    if isinstance(gateway.topology, ClientServer | StoreDoor):
        full = f"{{ queue({behind(CHROMA)}) ge {gateway.topology.chroma.queue} }}"
        yield f"http-request {BUSY.returned()} if {{ var(txn.target) -m str {Target.CHROMA} }} {full}"


def _sent_on(gateway: Gateway) -> Iterator[str]:
    inner = credential(gateway)
    for header in ("authorization", "x-chroma-token", "cookie", "upgrade", "http2-settings", "forwarded"):
        yield f"http-request del-header {header}"
    # Nobody outside may say who they are; also not with an underscore, which some servers read as a dash.
    yield "http-request del-header ^x[-_](cortex|forwarded)[-_] -m reg"
    yield "http-request set-header x-forwarded-for %[src]"
    yield "http-request set-header x-forwarded-proto https if { ssl_fc }"
    to_api = f"{{ var(txn.target) -m str {Target.API} {Target.API_STREAM} }} !{{ var(txn.needs) -m str {OPEN} }}"
    yield f"http-request set-header x-cortex-inner {inner} if {to_api}"
    yield f"http-request set-header x-cortex-role %[var(txn.role)] if {to_api}"
    yield f"http-request set-header x-cortex-token-name %[var(txn.name)] if {to_api}"
    yield f"http-after-response set-var(txn.waited) res.fhdr({WAITED})"
    yield f"http-after-response del-header {WAITED}"
    yield "http-after-response del-header server"
    yield f"use_backend {API_STREAM} if {{ var(txn.target) -m str {Target.API_STREAM} }}"
    if gateway.has_chroma:
        yield f"use_backend {CHROMA} if {{ var(txn.target) -m str {Target.CHROMA} }}"
    yield f"default_backend {API}"
