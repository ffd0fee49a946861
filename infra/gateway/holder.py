"""Who asks, and whether this one may: the token, its end, its role, its limits."""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway import cortex, files
from infra.gateway.base import ADDRESSES
from infra.gateway.endpoint import Scope, Target
from infra.gateway.gateway import Gateway
from infra.gateway.limits import RATE_WINDOW_S
from infra.gateway.problem import Problem, retry_after
from infra.gateway.table import OPEN, SEPARATOR
from infra.gateway.tokens import (
    END_FIELD,
    LIMIT_FIELD,
    LIMITED,
    NAME_FIELD,
    NO_END,
    ROLE_FIELD,
    WHOLE_TENANT,
)
from infra.gateway.upstreams import CHROMA
from infra.gateway.waiting import socket
from infra.vocabulary import Role

_REALM = 'Bearer realm=\\"cortex\\"'


def _unauthorised(slug: str, detail: str) -> Problem:
    error = ', error=\\"invalid_token\\"' if slug != "token-needed" else ""
    return Problem(401, slug, detail, (("WWW-Authenticate", _REALM + error),))


TOKEN_NEEDED = _unauthorised(
    "token-needed", "send the header `Authorization: Bearer <token>` or `x-chroma-token: <token>`"
)
TOKEN_UNKNOWN = _unauthorised("token-unknown", "this token is not valid (or not any more)")
TOKEN_EXPIRED = _unauthorised("token-expired", "token %[var(txn.name)] has expired; ask for a new one")
GUESSING = Problem(
    429, "too-many-requests", "too many unknown tokens came from this address", retry_after(RATE_WINDOW_S)
)
ROLE_TOO_LOW = Problem(
    403, "role-too-low", "token %[var(txn.name)] has the role %[var(txn.role)], this needs %[var(txn.needs)]"
)
OUT_OF_REACH = Problem(
    403,
    "out-of-reach",
    "token %[var(txn.name)] is limited to other tenants or databases, or this reaches beyond its limits",
)
# As Chroma answers for a collection of another database, had it looked.
NO_SUCH_COLLECTION = Problem(404, "not-found", "there is no such collection in this database")
OWNER_UNKNOWN = Problem(
    503, "unavailable", "Chroma could not be asked whose collection this is; send again later", retry_after(5)
)
_OPEN = f"{{ var(txn.needs) -m str {OPEN} }}"


def known(gateway: Gateway) -> Iterator[str]:
    """Find the token's holder. The token itself goes no further than this."""
    found = f"var(txn.token),sha2(256),hex,lower,map({gateway.folder}/{files.TOKENS})"
    held = "{ var(txn.holder) -m found }"
    yield "http-request set-var(txn.token) req.fhdr(x-chroma-token)"
    yield "http-request set-var(txn.token) http_auth_bearer if !{ var(txn.token) -m found }"
    yield f"http-request set-var(txn.holder) {found}"
    yield f"http-request {TOKEN_NEEDED.returned()} if !{_OPEN} !{{ var(txn.token) -m len gt 0 }}"
    yield "http-request unset-var(txn.token)"
    for name, number in (("role", ROLE_FIELD), ("name", NAME_FIELD), ("end", END_FIELD), ("limit", LIMIT_FIELD)):
        yield f"http-request set-var(txn.{name}) var(txn.holder),field({number},{SEPARATOR}) if {held}"
    guessing = f"{{ sc0_gpc0_rate({ADDRESSES}) gt {gateway.allowance.guesses_per_address} }}"
    yield f"http-request sc-inc-gpc0(0) if !{_OPEN} !{held}"
    yield f"http-request {GUESSING.returned()} if !{_OPEN} !{held} {guessing}"
    yield f"http-request {TOKEN_UNKNOWN.returned()} if !{_OPEN} !{held}"
    yield "http-request set-var(txn.since_end) date,sub(txn.end)"
    ended = f"!{{ var(txn.end) -m str {NO_END} }} {{ var(txn.since_end) -m int ge 0 }}"
    yield f"http-request {TOKEN_EXPIRED.returned()} if !{_OPEN} {ended}"


def may(gateway: Gateway) -> Iterator[str]:
    """Refuse what the role or the limits do not cover."""
    for needed, enough in (
        (Role.READ, "read write admin"),
        (Role.WRITE, "write admin"),
        (Role.ADMIN, "admin"),
    ):
        lacks = f"{{ var(txn.needs) -m str {needed} }} !{{ var(txn.role) -m str {enough} }}"
        yield f"http-request {ROLE_TOO_LOW.returned()} if {lacks}"
    yield from _within_limits(gateway)


def _within_limits(gateway: Gateway) -> Iterator[str]:
    limited = f"{{ var(txn.limit) -m str {LIMITED} }} !{_OPEN}"
    of_api = f"{{ var(txn.target) -m str {Target.API} {Target.API_STREAM} }}"
    reaches = f"map({gateway.folder}/{files.REACHES}) -m found"
    tenant = f"{{ var(txn.name),concat(:,txn.tenant,/),{reaches} }}"
    whole = f"{{ var(txn.name),concat(:,txn.tenant,/{WHOLE_TENANT}),{reaches} }}"
    database = f"{{ var(txn.name),concat(:,txn.tenant,/),concat(,txn.database),{reaches} }}"

    def scope(*scopes: Scope) -> str:
        return f"{{ var(txn.scope) -m str {' '.join(scopes)} }}"

    refuse = f"http-request {OUT_OF_REACH.returned()} if {limited}"
    # /api/v2/tenants/T/databases/D: the first field is what stands before the first slash.
    yield f"http-request set-var(txn.tenant) path,field(5,/) if {limited}"
    yield f"http-request set-var(txn.database) path,field(7,/) if {limited}"
    yield f"http-request set-var(txn.tenant) str({cortex.TENANT}) if {limited} {of_api}"
    yield f"http-request set-var(txn.database) str({cortex.DATABASE}) if {limited} {of_api}"
    yield f"{refuse} {scope(Scope.EVERYTHING)}"
    yield f"{refuse} {scope(Scope.TENANT)} !{tenant}"
    yield f"{refuse} {scope(Scope.WHOLE_TENANT)} !{whole}"
    yield f"{refuse} {scope(Scope.DATABASE, Scope.COLLECTION)} !{whole} !{database}"
    if gateway.has_chroma:
        collection = scope(Scope.COLLECTION)
        way = f"{socket(gateway, CHROMA)} {gateway.patience.queue_s}"
        yield f"http-request lua.find_owner {way} if {limited} {collection}"
        yield f"http-request {NO_SUCH_COLLECTION.returned()} if {limited} {collection} {{ var(txn.owned) -m str no }}"
        yield (f"http-request {OWNER_UNKNOWN.returned()} if {limited} {collection} !{{ var(txn.owned) -m str yes }}")
