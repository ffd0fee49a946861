"""Everything behind the gateway: the API, Chroma, and what the store's guard says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from infra.gateway import far_way
from infra.gateway.base import GUARD, GUARD_PATH, NAMED, address
from infra.gateway.gateway import ClientServer, Gateway, Guard, Replicas, Server, StoreDoor
from infra.gateway.waiting import NAMED_LATER, OWN_CONNECTION, SHARED_CONNECTIONS, behind, layers, lone

CHROMA, API, API_STREAM = "chroma", "api", "api_stream"
READY, WRITABLE = "store_ready", "store_writable"
# The guard's last word on writes, and when to come again: variables of the whole process.
SAID, SAID_AFTER = "proc.store_said", "proc.store_said_after"
# Streams last, and take their places from those of all others; a caller that only wants to read must find one.
STREAM_SHARE = 4
CHECK = "inter 1s fastinter 500ms downinter 500ms rise 1"


def sections(gateway: Gateway) -> Iterator[list[str]]:
    """The backends of the topology."""
    topology = gateway.topology
    yield guard_endpoints(gateway, topology.guard)
    if isinstance(topology, StoreDoor):
        yield [f"backend {behind(CHROMA)}", *(f"    {line}" for line in _chroma(gateway, topology.chroma))]
        return
    api = topology.api
    streams = max(1, api.slots // STREAM_SHARE)
    others = replace(api, slots=max(1, api.slots - streams))
    if isinstance(others, Replicas):
        yield from layers(gateway, API, replicas(others))
        lines = replicas(replace(others, slots=streams))
    else:
        yield from layers(gateway, API, lone(gateway, API, others, OWN_CONNECTION))
        lines = lone(gateway, API, replace(others, slots=streams), OWN_CONNECTION)
    # Not kept, so never repeated.
    yield [f"backend {API_STREAM}", *(f"    {line}" for line in (*lines, *streamed(gateway)))]
    if isinstance(topology, ClientServer):
        yield from layers(gateway, CHROMA, _chroma(gateway, topology.chroma), far_way.far_answer_s(gateway))
    yield from guard_says(gateway, topology.guard)


def _chroma(gateway: Gateway, chroma: Server) -> list[str]:
    secured = far_way.secured(gateway)
    return [*far_way.shown(gateway), *lone(gateway, CHROMA, chroma, SHARED_CONNECTIONS, secured)]


def replicas(api: Replicas) -> list[str]:
    """Lines of a backend whose servers are the addresses of a name."""
    return [
        OWN_CONNECTION,
        "balance leastconn",
        "option httpchk GET /healthz",
        "http-check expect status 200",
        "option redispatch 1",
        "retries 3",
        "retry-on conn-failure",
        f"default-server check {CHECK} fall 1 maxconn {api.slots}",
        # The first has an address from the start, so that no request finds nobody after a reload; asking for all of
        # them at the start would hold it up when the name server is slow.
        f"server api1 {address(api.host, api.port)} {NAMED}",
        f"server-template api 2-{api.most} {address(api.host, api.port)} {NAMED_LATER}",
    ]


def streamed(gateway: Gateway) -> list[str]:
    """What a body that goes on while its answer comes needs: each piece at once, and no end but silence."""
    return ["option http-no-delay", f"timeout server {gateway.patience.answer_s}s"]


def guard_endpoints(gateway: Gateway, guard: Guard) -> list[str]:
    """The way to the endpoints of the store's guard; a store door has them under the path of the metrics door."""
    way = [*far_way.shown(gateway)] if gateway.far else [f"http-request replace-path {GUARD_PATH}(/.*) \\1"]
    return [
        f"backend {GUARD}",
        *(f"    {line}" for line in way),
        f"    server guard {address(guard.host, guard.port)} {NAMED}{far_way.secured(gateway)}",
    ]


def guard_says(gateway: Gateway, guard: Guard) -> Iterator[list[str]]:
    """What the store's guard says, asked once a second. Nobody is ever sent there: the checks are the answer.

    The store is closed only when its guard says so (507). While no guard answers, as during a restart, it is not:
    callers then wait for the server instead of being turned away.
    """
    server = f"server guard {address(guard.host, guard.port)} check {CHECK} fall 1 {NAMED}{far_way.secured(gateway)}"
    yield [
        f"backend {READY}",
        *(f"    {line}" for line in far_way.check(gateway, "/readyz")),
        "    http-check expect status 200",
        f"    {server}",
    ]
    yield [
        f"backend {WRITABLE}",
        *(f"    {line}" for line in far_way.check(gateway, "/writable")),
        "    http-check expect status 200,507",
        f"    http-check set-var({SAID}) status",
        f"    http-check set-var({SAID_AFTER}) res.fhdr(retry-after)",
        f"    {server}",
    ]


def closed() -> str:
    """Whether the store takes no writes, as conditions of a rule. A server counts as up before its first check."""
    return f"{{ var({SAID}) -m int 507 }} {{ nbsrv({WRITABLE}) gt 0 }}"
