"""The access log: one JSON object for each request, with the token's name and never the token."""

from __future__ import annotations


def _text(sample: str) -> str:
    return f'"%[{sample}]"'


_FIELDS = {
    "message": '"request"',
    "level": '"info"',
    "logger": '"gateway"',
    "timestamp": _text("date,utime(%Y-%m-%dT%H:%M:%SZ)"),
    "request_id": _text("var(txn.request_id)"),
    "method": _text("var(txn.method),json(utf8s)"),
    # Without the query, which may hold anything.
    "path": _text("var(txn.path),json(utf8s)"),
    "status": "%ST",
    "token": _text("var(txn.name)"),
    "role": _text("var(txn.role)"),
    "client": _text("src"),
    "http": _text("var(txn.version)"),
    "tls": '"%sslv"',
    "backend": '"%b"',
    "server": '"%s"',
    # Milliseconds; -1 for what did not happen. The queue's, the connection's and the answer's at the server itself are
    # in `waited` where the way has two layers (docs/security.md).
    "request_ms": "%TR",
    "queue_ms": "%Tw",
    "connect_ms": "%Tc",
    "answer_ms": "%Tr",
    "total_ms": "%Ta",
    "waited": _text("var(txn.waited)"),
    "retries": '"%rc"',
    "bytes_in": "%U",
    "bytes_out": "%B",
    "ended": '"%tsc"',
}
FORMAT = "{" + ",".join(f'"{name}":{value}' for name, value in _FIELDS.items()) + "}"
