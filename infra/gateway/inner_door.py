"""The door for the API replicas: to Chroma, with the credential that only they and the gateway have."""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway import asked, files
from infra.gateway.access_log import FORMAT
from infra.gateway.edge import full_queue
from infra.gateway.endpoint import Target
from infra.gateway.gateway import Gateway
from infra.gateway.problem import Problem
from infra.gateway.upstreams import CHROMA
from infra.gateway.waiting import WAITED

NOT_INNER = Problem(401, "credential-needed", "this door is for the Cortex API; others come in by the TLS port")


def section(gateway: Gateway) -> list[str]:
    """The frontend."""
    return ["frontend inner", *(f"    {line}" for line in _lines(gateway))]


def _lines(gateway: Gateway) -> Iterator[str]:
    hashes = f"{gateway.folder}/{files.INNER_HASHES}"
    yield f"bind {gateway.doors.address}:{gateway.doors.inner_port}"
    yield "option idle-close-on-response"
    # The request of a caller is in the log of the first door; here only what failed.
    yield "option dontlog-normal"
    yield f"log-format '{FORMAT}'"
    yield from asked.identified()
    shown = f"req.fhdr(x-chroma-token),sha2(256),hex,lower,map({hashes})"
    yield f"http-request {NOT_INNER.returned()} if !{{ {shown} -m found }}"
    yield from asked.looked_up(gateway)
    yield f"http-request {asked.UNKNOWN_PATH.returned()} if !{{ var(txn.target) -m str {Target.CHROMA} }}"
    yield from asked.bounded(gateway)
    yield from full_queue(gateway)
    for header in ("authorization", "x-chroma-token", "cookie", "upgrade", "http2-settings"):
        yield f"http-request del-header {header}"
    yield "http-request del-header ^x[-_]cortex[-_] -m reg"
    yield f"http-after-response del-header {WAITED}"
    yield f"default_backend {CHROMA}"
