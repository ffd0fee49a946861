"""The sections every gateway has: process, defaults, name resolution, tables of rates, metrics."""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway import files
from infra.gateway.gateway import Gateway
from infra.gateway.limits import RATE_WINDOW_S, RESERVED_BYTES
from infra.gateway.problem import Problem, retry_after

# Mozilla's "intermediate" list of 2023: forward secrecy and authenticated encryption, nothing else.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
CIPHERSUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
ADDRESSES, HOLDERS = "addresses", "holders"
NAMES = "names"
MOST_HEADER_LINES = 64
STREAMS_PER_CONNECTION = 64
# A request passes a frontend twice when it waits for a server that is restarted in place (`infra.gateway.waiting`).
PASSES = 2
INNER_CONNECTIONS = 512
# Names keep their last address this long when the name server fails: a failure there is none of the servers.
STALE_NAMES = "1h"
GUARD_PATH = "/guard"
GUARD_ENDPOINTS = ("livez", "readyz", "startupz", "writable", "metrics")
"""What the guard tells (docs/health.md)."""
GUARD_PATHS = " ".join(f"{GUARD_PATH}/{name}" for name in GUARD_ENDPOINTS)
GUARD = "guard"
"""The backend that tells it."""
NAMED = f"resolvers {NAMES} resolve-prefer ipv4 init-addr libc,none"
"""A server that is found by its name."""
WELL = 'return status 200 content-type application/json string \'{"status":"ok"}\''

OWN_ERRORS = (
    Problem(400, "malformed-request", "this is not a well-formed HTTP request"),
    Problem(408, "too-slow", "the request did not arrive in time; send it faster, or in smaller parts"),
    Problem(500, "internal-error", "the gateway failed; its log has the request under this request id"),
    Problem(
        502,
        "server-lost",
        "the server ended, or broke the connection, while it worked on this request; it may or may not have been "
        "carried out, and was not repeated because that is not known to be safe, or was too large to be kept",
    ),
    Problem(503, "unavailable", "the server did not become available in time; send again later", retry_after(5)),
    Problem(504, "no-answer", "the server did not answer in time; it may still be working on the request"),
)


def process(gateway: Gateway) -> Iterator[str]:
    """Section `global`."""
    doors = PASSES * gateway.allowance.connections + (PASSES * INNER_CONNECTIONS if gateway.has_chroma else 0)
    yield "global"
    yield "    log stdout format raw local0 info"
    yield f"    maxconn {doors + 100}"
    yield f"    nbthread {gateway.threads}"
    yield f"    stats socket {gateway.runtime_folder}/haproxy.sock mode 600 level admin expose-fd listeners"
    yield f"    hard-stop-after {gateway.patience.drain_s}s"
    yield f"    tune.bufsize {gateway.buffers.bytes_each}"
    yield f"    tune.maxrewrite {RESERVED_BYTES}"
    yield f"    tune.http.maxhdr {MOST_HEADER_LINES}"
    yield f"    tune.h2.max-concurrent-streams {STREAMS_PER_CONNECTION}"
    yield f"    ssl-default-bind-ciphers {CIPHERS}"
    yield f"    ssl-default-bind-ciphersuites {CIPHERSUITES}"
    yield "    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets"
    if gateway.has_chroma:
        yield f"    lua-load {gateway.folder}/{files.OWNERS}"


def defaults(gateway: Gateway) -> Iterator[str]:
    """Section `defaults`."""
    patience = gateway.patience
    yield "defaults"
    yield "    mode http"
    yield "    log global"
    yield "    option dontlognull"
    yield "    option abortonclose"
    yield f"    timeout http-request {patience.request_s}s"
    yield f"    timeout http-keep-alive {patience.idle_s}s"
    yield f"    timeout client {patience.sender_s}s"
    yield "    timeout connect 1s"
    yield f"    timeout queue {patience.queue_s}s"
    yield f"    timeout server {patience.answer_s}s"
    for problem in OWN_ERRORS:
        yield f"    {problem.error()}"


def names(gateway: Gateway) -> Iterator[str]:
    """Section `resolvers`: who is asked for addresses, and how long an old one stays."""
    yield f"resolvers {NAMES}"
    if gateway.name_servers:
        yield from (f"    nameserver ns{number} {at}" for number, at in enumerate(gateway.name_servers, 1))
    else:
        yield "    parse-resolv-conf"
    yield "    accepted_payload_size 8192"
    yield "    resolve_retries 3"
    yield "    timeout resolve 1s"
    yield "    timeout retry 1s"
    for status in ("nx", "refused", "timeout", "other"):
        yield f"    hold {status} {STALE_NAMES}"
    # An address that is no longer among those of its name is a replica that is gone.
    yield "    hold obsolete 0s"


def tables() -> Iterator[list[str]]:
    """What addresses and tokens have asked for lately."""
    rate = f"http_req_rate({RATE_WINDOW_S}s)"
    guesses = f"gpc0_rate({RATE_WINDOW_S}s)"
    yield [
        f"backend {ADDRESSES}",
        f"    stick-table type ipv6 size 100k expire 5m store conn_cur,{rate},{guesses}",
    ]
    yield [f"backend {HOLDERS}", f"    stick-table type string len 64 size 10k expire 5m store {rate}"]


def metrics(gateway: Gateway) -> Iterator[list[str]]:
    """The door for the guard and for Prometheus, and the way to the endpoints of the store's guard."""
    nothing = Problem(404, "not-found", f"here are /metrics, /healthz and {GUARD_PATHS}")
    yield [
        "frontend metrics",
        f"    bind {gateway.doors.address}:{gateway.doors.metrics_port}",
        "    no log",
        "    http-request use-service prometheus-exporter if { path /metrics }",
        f"    http-request {WELL} if {{ path /healthz }}",
        f"    http-request {nothing.returned()} if !{{ path {GUARD_PATHS} }} or !{{ method GET HEAD }}",
        f"    default_backend {GUARD}",
    ]


def address(host: str, port: int) -> str:
    """Host and port as HAProxy reads them."""
    return f"ipv6@[{host}]:{port}" if ":" in host else f"{host}:{port}"
