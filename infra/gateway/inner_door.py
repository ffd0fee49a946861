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
    yield f"bind {gateway.doors.address}:{gateway.doors.inner_port}"
    # The request of a caller is in the log of the first door; here only what failed.
    yield "option dontlog-normal"
    yield from with_credential(gateway, NOT_INNER)
    yield from to_chroma(gateway)
    yield f"default_backend {CHROMA}"


def with_credential(gateway: Gateway, refusal: Problem) -> Iterator[str]:
    """Let only those in who show the inner credential.

    Args:
        gateway: The gateway.
        refusal: What the others are told.
    """
    hashes = f"{gateway.folder}/{files.INNER_HASHES}"
    yield "option idle-close-on-response"
    yield f"log-format '{FORMAT}'"
    yield from asked.identified()
    shown = f"req.fhdr(x-chroma-token),sha2(256),hex,lower,map({hashes})"
    yield f"http-request {refusal.returned()} if !{{ {shown} -m found }}"


def to_chroma(gateway: Gateway) -> Iterator[str]:
    """Let only what Chroma has through, and nothing that is not meant for it."""
    yield from asked.looked_up(gateway)
    yield f"http-request {asked.UNKNOWN_PATH.returned()} if !{{ var(txn.target) -m str {Target.CHROMA} }}"
    yield from asked.bounded(gateway)
    yield from full_queue(gateway)
    for header in ("authorization", "x-chroma-token", "cookie", "upgrade", "http2-settings"):
        yield f"http-request del-header {header}"
    yield "http-request del-header ^x[-_]cortex[-_] -m reg"
    yield f"http-after-response del-header {WAITED}"
