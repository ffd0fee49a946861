"""The table of endpoints and the limits for docs/security.md."""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway import cortex, native
from infra.gateway.endpoint import Endpoint, Scope, Target
from infra.gateway.limits import KIB, MIB, RATE_WINDOW_S, Allowance, Buffers, Patience

_SCOPES = {
    Scope.NOTHING: "any",
    Scope.TENANT: "its tenant",
    Scope.WHOLE_TENANT: "its whole tenant",
    Scope.DATABASE: "its database",
    Scope.COLLECTION: "its database, collection checked",
    Scope.EVERYTHING: "none",
}


def endpoints() -> str:
    """Every endpoint as Markdown tables, one for each interface."""
    parts = (("The Cortex API", cortex.ENDPOINTS), ("Chroma's own interface (client-server only)", native.ENDPOINTS))
    return "\n".join(f"### {title}\n\n{_table(listed)}" for title, listed in parts)


def _table(listed: tuple[Endpoint, ...]) -> str:
    return "\n".join(_rows(listed)) + "\n"


def _rows(listed: tuple[Endpoint, ...]) -> Iterator[str]:
    yield "| | path | role | a limited token | sent again after a kill |"
    yield "| --- | --- | --- | --- | --- |"
    for each in listed:
        role = each.role.value if each.role else "open"
        if each.target is Target.NOBODY:
            role, repeated = f"{role}; answered with 501", ""
        else:
            repeated = "yes" if each.repeatable else "no"
        limited = "" if each.role is None else _SCOPES[each.scope]
        yield f"| {each.method} | `{each.path}` | {role} | {limited} | {repeated} |"


def limits() -> str:
    """What the gateway allows and how long it waits, as a Markdown table."""
    return "\n".join(("| what | default | answer beyond it |", "| --- | --- | --- |", *_limits())) + "\n"


def _limits() -> Iterator[str]:
    allowance, patience, buffers = Allowance(), Patience(), Buffers()
    kept_kib = buffers.kept_bytes // KIB
    for what, default, answer in (
        ("body of a request; a streamed load is exempt", f"{allowance.body_bytes // MIB} MiB", "413"),
        ("body without Content-Length; a streamed load is exempt", "none", "411"),
        ("header lines together", f"{allowance.header_bytes // KIB} KiB", "431, or 414 for the address alone"),
        ("connections of an address", f"{allowance.connections_per_address}", "closed"),
        ("connections in all", f"{allowance.connections:,}", "wait to be accepted"),
        (
            f"requests of an address, mean of {RATE_WINDOW_S} s",
            f"{allowance.requests_per_s_per_address:,} a second",
            "429",
        ),
        (f"requests of a token, mean of {RATE_WINDOW_S} s", f"{allowance.requests_per_s_per_token:,} a second", "429"),
        (
            f"unknown tokens of an address in {RATE_WINDOW_S} s",
            f"{allowance.guesses_per_address}",
            "429 instead of 401",
        ),
        (f"time for the header, and for a body up to {kept_kib} KiB", f"{patience.request_s} s", "408"),
        ("silence of a sender of a larger body", f"{patience.sender_s} s", "408, or closed"),
        ("wait in the queue in front of a server", f"{patience.queue_s} s", "503"),
        ("wait for a server that is being restarted", f"{patience.restart_s} s", "503"),
        ("silence of a server that works on a request", f"{patience.answer_s} s", "504"),
        ("size up to which a request is sent again when its server is killed", f"{kept_kib} KiB", "502"),
    ):
        yield f"| {what} | {default} | {answer} |"
