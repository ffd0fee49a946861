"""Paths and headers that two readers could read in two ways: refused, and nothing arrives."""

from __future__ import annotations

import pytest

from tests.gateway.raw import request, send

TENANT = "/api/v2/tenants/tenant_b"
ADMIN = "admin-token"
ID = "0d5c2a52-3b5e-4a52-9f0e-6f6f3c1a7b11"


def _reached(backends) -> list[str]:
    return [
        f"{each.method} {each.path}"
        for backend in (backends.api, backends.chroma)
        for each in backend.arrived
        if each.path != "/healthz"
    ]


def _send(backends, line: str, *headers: str, body: bytes = b"", token: str = ADMIN):
    running = backends.running
    backends.api.forget()
    backends.chroma.forget()
    sent = request(line, *([f"x-chroma-token: {token}"] if token else []), *headers, body=body)
    return send(running.gateway.doors.tls_port, sent, running.trusting())


@pytest.mark.parametrize(
    "path",
    [
        "//api/v2/heartbeat",
        "/api//v2/heartbeat",
        "/api/v2/heartbeat/",
        "/api/v2/./heartbeat",
        "/api/v2/x/../heartbeat",
        "/api/v2/%68eartbeat",
        "/api/v2/heartbeat%00",
        "/api/v2/heartbeat%2f",
        "/api/v2/heartbeat;a=b",
        "/API/v2/heartbeat",
        "/api/v2/tenants/..",
        "/api/v2/tenants/.",
        "/api/v2/tenants/%2e%2e",
        "/api/v2/tenants/%2E%2E/databases",
        "/api/v2/tenants/a%2Fb",
        "/api/v2/tenants/a%2fb",
        "/api/v2/tenants/a%5Cb",
        "/api/v2/tenants/a\\b",
        "/api/v2/tenants/%74enant_b",
        "/api/v2/tenants/a%252Fb",
        "/api/v2/tenants/a%c3%a4",
        "/api/v2/tenants/a%0d%0aX: y",
        "/api/v2/tenants/a%",
        "/api/v2/tenants/a%zz",
        f"{TENANT}/databases/db_b/collections/not-an-id/count",
        f"{TENANT}/databases/db_b/collections/{ID}/../../count",
        f"{TENANT}/databases/db_b/collections/{ID}%2Fcount",
        "/openapi.json/",
        "/docs/../v1/status",
        "/docs/a/b",
        "/metrics",
        "/healthz/../v1/status",
        "/v1",
        "/api/v1/heartbeat",
        "/",
        "*",
    ],
)
def test_a_path_has_one_spelling(client_server, path):
    answer = _send(client_server, f"GET {path} HTTP/1.1")
    assert answer.status in {400, 404}
    assert not _reached(client_server)


@pytest.mark.parametrize("name", ["a%C3%A4b", "with%20space", "a%3Ab", "a.b-c_d~e", "..a", "a(b)!*'c", "%2A"])
def test_unusual_names_pass_in_the_spelling_of_clients(client_server, name):
    answer = _send(client_server, f"GET /api/v2/tenants/{name} HTTP/1.1")
    assert answer.status == 200
    assert _reached(client_server) == [f"GET /api/v2/tenants/{name}"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "POST"])
def test_a_method_that_is_not_listed_is_refused(client_server, method):
    answer = _send(client_server, f"{method} /api/v2/heartbeat HTTP/1.1", "Content-Length: 0")
    assert answer.status in {400, 405}
    assert not _reached(client_server)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_the_method_cannot_be_overridden(client_server, header):
    answer = _send(client_server, f"GET {TENANT}/databases HTTP/1.1", f"{header}: POST", token="read-token")
    assert answer.status == 400
    assert "method-override" in answer.text
    assert not _reached(client_server)


def test_connect_and_absolute_addresses_lead_nowhere_else(client_server):
    assert _send(client_server, "CONNECT 127.0.0.1:22 HTTP/1.1").status in {400, 404, 405}
    assert not _reached(client_server)
    answer = _send(client_server, "GET http://127.0.0.1:1/api/v2/heartbeat HTTP/1.1")
    assert answer.status in {200, 400}
    assert all(each.endswith("/api/v2/heartbeat") for each in _reached(client_server))


SMUGGLED = b"POST /api/v2/reset HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
UPSERT = f"POST {TENANT}/databases/db_b/collections/{ID}/upsert HTTP/1.1"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        # One of the two lengths hides a second request.
        (["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n" + SMUGGLED),
        ([f"Content-Length: {5 + len(SMUGGLED)}", "Transfer-Encoding: chunked"], b"0\r\n\r\n" + SMUGGLED),
        (["Content-Length: 0", f"Content-Length: {len(SMUGGLED)}"], SMUGGLED),
        ([f"Content-Length: {len(SMUGGLED)}", "Content-Length: 0"], SMUGGLED),
        (["Transfer-Encoding: xchunked"], SMUGGLED),
        (["Transfer-Encoding : chunked"], b"0\r\n\r\n" + SMUGGLED),
        (["Transfer-Encoding: chunked, identity"], b"0\r\n\r\n" + SMUGGLED),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], b"0\r\n\r\n" + SMUGGLED),
        (["Content-Length: +0"], SMUGGLED),
        (["Content-Length: 0x0"], SMUGGLED),
        (["Content-Length: 0, 0"], SMUGGLED),
        (["Content-Length: 99999999999999999999"], SMUGGLED),
        (["Content-Length: -1"], SMUGGLED),
        (["Content-Length: 0", "X: a\r\n Transfer-Encoding: chunked"], SMUGGLED),
        (["Content-Length: 0", "X: a\nTransfer-Encoding: chunked"], SMUGGLED),
        (["Content-Length: 0", "X: a\x00b"], SMUGGLED),
        (["Content-Length: 0", "Connection: x-cortex-role, content-length"], SMUGGLED),
        (["Content-Length: 0", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"], SMUGGLED),
        (["Content-Length: 0", "Upgrade: websocket"], SMUGGLED),
        (["Content-Length: 0", "Expect: 100-continue"], SMUGGLED),
    ],
)
def test_no_second_request_comes_along(client_server, headers, body):
    answer = _send(client_server, UPSERT, *headers, body=body, token="write-token")
    # Whatever was answered to the first, the second was read by nobody.
    assert all("reset" not in each for each in _reached(client_server)), answer.text
    for came in client_server.chroma.arrived:
        assert b"reset" not in came.body
        assert not (came.header("content-length") and came.header("transfer-encoding"))
        assert came.header("upgrade") is None


def test_a_second_request_on_the_connection_is_judged_by_itself(client_server):
    running = client_server.running
    client_server.chroma.forget()
    first = b"GET /api/v2/heartbeat HTTP/1.1\r\nHost: x\r\nx-chroma-token: admin-token\r\n\r\n"
    second = b"POST /api/v2/reset HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    answer = send(running.gateway.doors.tls_port, first + second, running.trusting())
    assert answer.text.count("HTTP/1.1 200") == 1
    assert answer.text.count("HTTP/1.1 401") == 1
    assert _reached(client_server) == ["GET /api/v2/heartbeat"]


def test_headers_have_bounds(client_server):
    few = _send(client_server, "GET /api/v2/heartbeat HTTP/1.1", f"X-Long: {'x' * 20_000}")
    many = _send(client_server, "GET /api/v2/heartbeat HTTP/1.1", *(f"X-{each}: y" for each in range(200)))
    long_path = _send(client_server, f"GET /api/v2/tenants/{'a' * 9_000} HTTP/1.1")
    huge = _send(client_server, "GET /api/v2/heartbeat HTTP/1.1", f"X-Long: {'x' * 400_000}")
    assert (few.status, many.status, long_path.status, huge.status) == (431, 400, 414, 400)
    assert not _reached(client_server)
