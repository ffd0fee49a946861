"""Tokens: how they may be sent, which are refused, and what is said about it."""

from __future__ import annotations

import httpx
import pytest

from tests.gateway.raw import request, send
from tests.gateway.running import INNER_CREDENTIAL
from tests.gateway.waits import listens

PATH = "/api/v2/heartbeat"


def _reached(backend) -> list[str]:
    return [each.path for each in backend.arrived if each.path != "/healthz"]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-chroma-token": "read-token"},
        {"X-Chroma-Token": "read-token"},
        {"Authorization": "Bearer read-token"},
        {"authorization": "bearer read-token"},
        {"x-chroma-token": "read-token", "authorization": "Bearer other"},
    ],
)
def test_a_token_may_be_in_either_header(client_server, headers):
    with client_server.running.client() as client:
        assert client.get(PATH, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "slug"),
    [
        ({}, "token-needed"),
        ({"authorization": "Basic cmVhZC10b2tlbjo="}, "token-needed"),
        ({"x-chroma-token": ""}, "token-needed"),
        ({"x-chroma-token": "read-toke"}, "token-unknown"),
        ({"x-chroma-token": "Read-token"}, "token-unknown"),
        ({"x-chroma-token": "read-token,"}, "token-unknown"),
        # The hash is not the token, and the inner credential is none.
        ({"x-chroma-token": "3b4f4ba0e43a5ad8a7e2f3d6e9a7f6a4b5c8d9e0f1a2b3c4d5e6f708192a3b4c"}, "token-unknown"),
        ({"x-chroma-token": INNER_CREDENTIAL}, "token-unknown"),
        ({"authorization": "Bearer"}, "token-needed"),
        ({"cookie": "x-chroma-token=read-token"}, "token-needed"),
        ({"x-chroma-token": "expired-token"}, "token-expired"),
    ],
)
def test_what_is_no_valid_token_is_refused(client_server, headers, slug):
    client_server.chroma.forget()
    with client_server.running.client() as client:
        answer = client.get(PATH, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() | {"request_id": ""} == {
        "type": f"urn:cortex:problem:{slug}",
        "title": "Unauthorized",
        "status": 401,
        "detail": answer.json()["detail"],
        "instance": PATH,
        "request_id": "",
    }
    assert not _reached(client_server.chroma)


def test_the_same_header_twice_is_refused(client_server):
    running = client_server.running
    client_server.chroma.forget()
    for header in ("x-chroma-token: ", "Authorization: Bearer "):
        answer = send(
            running.gateway.doors.tls_port,
            request(f"GET {PATH} HTTP/1.1", f"{header}read-token", f"{header}admin-token"),
            running.trusting(),
        )
        assert answer.status == 400
        assert "ambiguous-request" in answer.text
    assert not _reached(client_server.chroma)


def test_what_the_gateway_says_about_a_caller_cannot_be_said_by_one(single_node):
    told = {
        "X-Cortex-Role": "admin",
        "X-Cortex-Inner": "guess",
        "X-Cortex-Token-Name": "owner",
        "X_Cortex_Role": "admin",
        "X-Forwarded-For": "10.0.0.1",
        "Forwarded": "for=10.0.0.1",
        "Cookie": "a=b",
    }
    single_node.api.forget()
    with single_node.running.client("read-token") as client:
        assert client.get("/v1/status", headers=told).status_code == 200
    (came,) = single_node.api.arrived
    assert came.header("x-cortex-role") == "read"
    assert came.header("x-cortex-token-name") == "reader"
    assert came.header("x-cortex-inner") == INNER_CREDENTIAL
    assert came.header("x-forwarded-for") == "127.0.0.1"
    for absent in ("x_cortex_role", "forwarded", "cookie", "x-chroma-token"):
        assert came.header(absent) is None


def test_chroma_is_told_nothing_about_callers(client_server):
    client_server.chroma.forget()
    with client_server.running.client("admin-token") as client:
        assert client.get(PATH, headers={"X-Cortex-Role": "admin"}).status_code == 200
    (came,) = client_server.chroma.arrived
    assert not [name for name, _ in came.headers if "cortex" in name or "token" in name or name == "authorization"]


def test_the_inner_door_opens_to_the_inner_credential_only(client_server):
    running = client_server.running
    client_server.chroma.forget()
    with httpx.Client(base_url=running.inner_url) as client:
        for headers in ({}, {"x-chroma-token": "admin-token"}, {"authorization": f"Bearer {INNER_CREDENTIAL}"}):
            assert client.get(PATH, headers=headers).status_code == 401
        assert not _reached(client_server.chroma)
        inner = {"x-chroma-token": INNER_CREDENTIAL}
        assert client.get(PATH, headers=inner).status_code == 200
        # Only to Chroma: the API is not reached around its own gateway.
        assert client.get("/v1/status", headers=inner).status_code == 404
    (came,) = client_server.chroma.arrived
    assert came.header("x-chroma-token") is None


def test_single_node_has_no_inner_door(single_node):
    doors = single_node.running.gateway.doors
    assert listens("127.0.0.1", doors.tls_port)
    assert not listens("127.0.0.1", doors.inner_port)
