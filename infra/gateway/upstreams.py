"""Everything behind the gateway: the API, Chroma, and what the store's guard says."""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway.gateway import Gateway, Guard, Replicas, Server
from infra.gateway.waiting import NAMED, NAMED_LATER, address, layers

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
    api = topology.api
    if isinstance(api, Replicas):
        streams = max(1, api.slots // STREAM_SHARE)
        yield replicas(API, api, max(1, api.slots - streams), ["retry-on conn-failure empty-response"])
        yield replicas(API_STREAM, api, streams, ["retry-on conn-failure", *streamed(gateway)])
    else:
        yield from layers(gateway, API, api)
        yield stream_to(gateway, api)
    if not isinstance(topology.api, Server):
        yield from layers(gateway, CHROMA, topology.chroma)
    yield from guard_says(topology.guard)


def replicas(name: str, api: Replicas, slots: int, more: list[str]) -> list[str]:
    """A backend whose servers are the addresses of a name.

    Args:
        name: Of the backend.
        api: The replicas.
        slots: Requests each gets at once by this backend.
        more: Further lines.
    """
    return [
        f"backend {name}",
        "    balance leastconn",
        "    option httpchk GET /healthz",
        "    http-check expect status 200",
        "    option redispatch 1",
        "    retries 3",
        *(f"    {line}" for line in more),
        f"    default-server check {CHECK} fall 1 maxconn {slots}",
        # The first has an address from the start, so that no request finds nobody after a reload; asking for all of
        # them at the start would hold it up when the name server is slow.
        f"    server api1 {address(api.host, api.port)} {NAMED}",
        f"    server-template api 2-{api.most} {address(api.host, api.port)} {NAMED_LATER}",
    ]


def stream_to(gateway: Gateway, api: Server) -> list[str]:
    """The way of streamed loads to a server that is restarted in place: not kept, so never repeated."""
    streams = max(1, api.slots // STREAM_SHARE)
    return [
        f"backend {API_STREAM}",
        f"    retries {gateway.patience.restart_s}",
        "    retry-on conn-failure",
        *(f"    {line}" for line in streamed(gateway)),
        f"    server api {address(api.host, api.port)} maxconn {streams} {NAMED}",
    ]


def streamed(gateway: Gateway) -> list[str]:
    """What a body that goes on while its answer comes needs: no end but silence."""
    return [f"timeout server {gateway.patience.answer_s}s", f"timeout tunnel {gateway.patience.answer_s}s"]


def guard_says(guard: Guard) -> Iterator[list[str]]:
    """What the store's guard says, asked once a second. Nobody is ever sent there: the checks are the answer.

    The store is closed only when its guard says so (507). While no guard answers, as during a restart, it is not:
    callers then wait for the server instead of being turned away.
    """
    server = f"server guard {address(guard.host, guard.port)} check {CHECK} fall 1 {NAMED}"
    yield [
        f"backend {READY}",
        "    option httpchk GET /readyz",
        "    http-check expect status 200",
        f"    {server}",
    ]
    yield [
        f"backend {WRITABLE}",
        "    option httpchk GET /writable",
        "    http-check expect status 200,507",
        f"    http-check set-var({SAID}) status",
        f"    http-check set-var({SAID_AFTER}) res.fhdr(retry-after)",
        f"    {server}",
    ]


def closed() -> str:
    """Whether the store takes no writes, as conditions of a rule. A server counts as up before its first check."""
    return f"{{ var({SAID}) -m int 507 }} {{ nbsrv({WRITABLE}) gt 0 }}"
