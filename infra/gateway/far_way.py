"""The way to a store door: TLS, verified, and the inner credential in each request and check.

Of the two layers in front of a server (`infra.gateway.waiting`), the gateway keeps the outer one, which sends a request
again; the door has the one that waits for Chroma. So a request is tried as often as without the way between.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway import files
from infra.gateway.base import GUARD_PATH
from infra.gateway.gateway import Gateway
from infra.gateway.problem import Problem, retry_after

TOKEN_HEADER = "x-chroma-token"  # noqa: S105 - a name
# A connection with its TLS takes two round trips; across a slow line more than a connection on the same host.
CONNECT_S = 3
# Both ends are the stack's own.
TLS = "ssl-min-ver TLSv1.3"
# Chroma has no tokens: this status is the door's, and not about the caller's.
NOT_ACCEPTED = Problem(
    503, "unavailable", "the host with the store does not accept this gateway at the moment", retry_after(5)
)


def secured(gateway: Gateway) -> str:
    """Keywords of a server that is a store door, with a space before; empty for one on the same host."""
    if gateway.far is None:
        return ""
    authority = f"{gateway.folder}/{files.AUTHORITY}"
    return f" ssl verify required ca-file {authority} verifyhost {gateway.far.name} {TLS}"


def credential(gateway: Gateway) -> str:
    """The inner credential as a part of a header's value; the configuration itself does not hold it."""
    return f"%[str(credential),map({gateway.folder}/{files.INNER_CREDENTIAL})]"


def shown(gateway: Gateway) -> Iterator[str]:
    """Lines that show the credential to a store door, and wait as long as it may."""
    if gateway.far is not None:
        yield f"http-request set-header {TOKEN_HEADER} {credential(gateway)}"
        yield f"http-response {NOT_ACCEPTED.instead()} if {{ status 401 }}"
        yield f"timeout connect {CONNECT_S}s"
        yield f"timeout server {far_answer_s(gateway)}s"


def far_answer_s(gateway: Gateway) -> int:
    """The longest a request to Chroma takes once it has its place: at a store door it may have to wait again."""
    patience = gateway.patience
    return patience.answer_s + (patience.queue_s + patience.restart_s if gateway.far else 0)


def check(gateway: Gateway, path: str) -> Iterator[str]:
    """Lines of a backend whose server is asked for this path of the guard."""
    if gateway.far is None:
        yield f"option httpchk GET {path}"
        return
    yield "option httpchk"
    yield f"http-check send meth GET uri {GUARD_PATH}{path} hdr {TOKEN_HEADER} {credential(gateway)}"
