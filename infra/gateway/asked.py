"""The first look at a request, the same at every door: its id, its form, its path, and what the allow-list says."""

from __future__ import annotations

from collections.abc import Iterator

from infra.gateway import files
from infra.gateway.gateway import Gateway
from infra.gateway.problem import Problem
from infra.gateway.table import REPEAT_FIELD, REPEATABLE, ROLE_FIELD, SCOPE_FIELD, SEPARATOR, STORE_FIELD, TARGET_FIELD

_FIELDS = (
    ("needs", ROLE_FIELD),
    ("target", TARGET_FIELD),
    ("scope", SCOPE_FIELD),
    ("repeat", REPEAT_FIELD),
    ("store", STORE_FIELD),
)
_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
_HIGHEST_URL_SHARE = 2
UNKNOWN_PATH = Problem(
    404, "not-found", "there is nothing at this path; /docs and the table of endpoints say what there is"
)
WRONG_METHOD = Problem(
    405,
    "method-not-allowed",
    "%[method] is not possible here; use %[var(txn.methods)]",
    (("Allow", "%[var(txn.methods)]"),),
)
DOUBLE = Problem(400, "ambiguous-request", "a header that may be given once was given twice")
OVERRIDDEN = Problem(400, "method-override", "send the method that is meant; headers that override it are refused")


def identified() -> Iterator[str]:
    """What the log says of a request, and its id: the caller's if it is harmless, else a new one."""
    for name, sample in (("method", "method"), ("path", "path"), ("version", "req.ver")):
        yield f"http-request set-var(txn.{name}) {sample}"
    harmless = "{ req.fhdr_cnt(x-request-id) eq 1 } { req.fhdr(x-request-id) -m reg ^[A-Za-z0-9._-]{1,64}$ }"
    yield f"http-request set-var(txn.request_id) req.fhdr(x-request-id) if {harmless}"
    yield "http-request set-var(txn.request_id) uuid() if !{ var(txn.request_id) -m found }"
    yield "http-request set-header x-request-id %[var(txn.request_id)]"
    yield "http-after-response set-header x-request-id %[var(txn.request_id)] if { var(txn.request_id) -m found }"


def arrived(gateway: Gateway) -> Iterator[str]:
    """Let a small body arrive first: HTTP/2 has no way to answer before its end that every client understands."""
    known = f"{{ req.fhdr(content-length) -m int le {gateway.buffers.kept_bytes} }}"
    yield f"http-request wait-for-body time {gateway.patience.request_s}s if {{ fc_http_major 2 }} {known}"


def well_formed(gateway: Gateway) -> Iterator[str]:
    """Refuse what is too long or can be read in two ways."""
    most = gateway.allowance.header_bytes
    too_long = Problem(431, "header-too-large", f"the header lines have more than {most} bytes together")
    url_too_long = Problem(414, "url-too-long", f"the address has more than {most // _HIGHEST_URL_SHARE} bytes")
    yield f"http-request {url_too_long.returned()} if {{ url,length gt {most // _HIGHEST_URL_SHARE} }}"
    yield f"http-request {too_long.returned()} if {{ req.hdrs,length gt {most} }}"
    for header in ("x-chroma-token", "authorization", "host"):
        yield f"http-request {DOUBLE.returned()} if {{ req.fhdr_cnt({header}) gt 1 }}"
    for header in _OVERRIDES:
        yield f"http-request {OVERRIDDEN.returned()} if {{ req.fhdr({header}) -m found }}"


def looked_up(gateway: Gateway) -> Iterator[str]:
    """Find the endpoint. What is not in the table is answered here."""
    known = f"map_reg({gateway.folder}/{files.ENDPOINTS})"
    yield f"http-request set-var(txn.endpoint) method,concat(:,txn.path),{known}"
    methods = f"map_reg({gateway.folder}/{files.METHODS})"
    yield f"http-request set-var(txn.methods) path,{methods} if !{{ var(txn.endpoint) -m found }}"
    yield f"http-request {WRONG_METHOD.returned()} if {{ var(txn.methods) -m found }}"
    yield f"http-request {UNKNOWN_PATH.returned()} if !{{ var(txn.endpoint) -m found }}"
    for name, number in _FIELDS:
        yield f"http-request set-var(txn.{name}) var(txn.endpoint),field({number},{SEPARATOR})"
    yield f"http-request disable-l7-retry unless {{ var(txn.repeat) -m str {REPEATABLE} }}"


def bounded(gateway: Gateway) -> Iterator[str]:
    """Refuse bodies that are too large, or whose size nobody knows before the end."""
    most = gateway.allowance.body_bytes
    lengthless = Problem(
        411, "length-needed", "send the length of the body (Content-Length); only a streamed load goes without"
    )
    too_large = Problem(
        413, "body-too-large", f"the body has more than {most} bytes; send smaller batches, or stream the load"
    )
    streamed = "{ var(txn.target) -m str api-stream }"
    yield (
        f"http-request {lengthless.returned()} "
        f"if {{ method POST PUT PATCH }} !{{ req.fhdr(content-length) -m found }} !{streamed}"
    )
    yield f"http-request {lengthless.returned()} if {{ req.fhdr(transfer-encoding) -m found }} !{streamed}"
    yield f"http-request {too_large.returned()} if {{ req.body_size gt {most} }} !{streamed}"
