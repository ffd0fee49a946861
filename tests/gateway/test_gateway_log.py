"""One line of JSON for each request: who, what, how long; never a token."""

from __future__ import annotations

import json
import re

import pytest

from tests.gateway.backend import Answer
from tests.gateway.raw import request, send

PATH = "/api/v2/heartbeat"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a-1.B_c", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ('a"b', False),
        ("a b", False),
        ("a,b", False),
        ("", False),
    ],
)
def test_a_request_id_is_kept_if_it_is_harmless_passed_on_and_returned(client_server, given, kept):
    client_server.chroma.forget()
    with client_server.running.client("read-token") as client:
        answer = client.get(PATH, headers={"x-request-id": given})
    returned = answer.headers["x-request-id"]
    (came,) = client_server.chroma.arrived
    assert came.header("x-request-id") == returned
    assert (returned == given) is kept
    assert kept or re.fullmatch("[0-9a-f-]{36}", returned)
    assert client_server.running.line(request_id=returned)["status"] == 200


def test_a_line_tells_who_asked_for_what_and_how_long_it_took(client_server):
    client_server.chroma.answer = lambda _: Answer(body={"a": "b"})
    with client_server.running.client("write-token") as client:
        answer = client.post("/api/v2/tenants/t/databases/d/collections?secret=query", content=b"{}")
    line = client_server.running.line(request_id=answer.headers["x-request-id"])
    times = {name: line.pop(name) for name in ("request_ms", "queue_ms", "connect_ms", "answer_ms", "total_ms")}
    assert all(isinstance(each, int) and each >= 0 for each in times.values())
    assert re.fullmatch(r"\d+/\d+/\d+", line.pop("waited"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("timestamp"))
    assert line.pop("bytes_in") > 0
    assert line.pop("bytes_out") > 0
    assert line == {
        "message": "request",
        "level": "info",
        "logger": "gateway",
        "request_id": answer.headers["x-request-id"],
        "method": "POST",
        "path": "/api/v2/tenants/t/databases/d/collections",
        "status": 200,
        "token": "writer",
        "role": "write",
        "client": "127.0.0.1",
        "http": "1.1",
        "tls": "TLSv1.3",
        "backend": "chroma",
        "server": "inner",
        "retries": "0",
        "ended": "----",
    }


def test_refusals_have_the_same_id_in_answer_and_log(client_server):
    with client_server.running.client("read-token") as client:
        for method, path, status in (("GET", "/nothing", 404), ("POST", "/api/v2/reset", 403), ("PUT", PATH, 405)):
            answer = client.request(method, path)
            assert answer.status_code == status
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
            line = client_server.running.line(request_id=answer.headers["x-request-id"])
            assert (line["status"], line["path"], line["method"]) == (status, path, method)


def test_no_token_and_no_credential_is_in_the_log(client_server):
    running = client_server.running
    text = running.log.read_text()
    for secret in ("read-token", "write-token", "admin-token", "inner-credential", "secret=query"):
        assert secret not in text


def test_nothing_that_is_sent_breaks_a_line(client_server):
    running = client_server.running
    for path in ('/a"b', "/a\\b", "/%22", "/a'b", "/\xff\xfe", "/{}", "/a%5c%22"):
        send(running.gateway.doors.tls_port, request(f"GET {path} HTTP/1.1"), running.trusting())
    with running.client() as client:
        last = client.get("/last-of-these").headers["x-request-id"]
    running.line(request_id=last)
    lines = [line for line in running.log.read_text().splitlines() if line.startswith("{")]
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert not [
        line for line in running.log.read_text().splitlines() if '"message":"request"' in line and line[0] != "{"
    ]


def test_probes_are_not_logged(client_server):
    with client_server.running.client() as client:
        found = client.get("/healthz")
        last = client.get("/something").headers["x-request-id"]
    client_server.running.line(request_id=last)
    assert not client_server.running.lines(request_id=found.headers["x-request-id"])
