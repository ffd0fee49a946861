"""What the store's guard says reaches the callers: no writes when it is closed, and whether anything is served."""

from __future__ import annotations

import httpx
import pytest

from infra.gateway import cortex, native
from tests.gateway.backend import Answer
from tests.gateway.test_gateway_roles import _call, _named
from tests.gateway.waits import wait_until


@pytest.fixture
def closed(client_server):
    """A gateway whose store takes no writes."""
    client_server.guard.writable = False
    with client_server.running.client("admin-token") as client:
        wait_until(lambda: client.post("/v1/collections", json={}).status_code == 507, "the gateway to know", 10)
        yield client_server
        client_server.guard.writable = True
        wait_until(lambda: client.post("/v1/collections", json={}).status_code == 200, "the gateway to know", 10)


def test_a_closed_store_is_read_and_not_written(closed):
    with closed.running.client("admin-token") as client:
        for endpoint in (*cortex.ENDPOINTS, *native.ENDPOINTS):
            if endpoint.target.value == "nobody":
                continue
            closed.api.forget()
            closed.chroma.forget()
            answer = _call(client, endpoint)
            arrived = [each for each in (*closed.api.arrived, *closed.chroma.arrived) if each.path != "/healthz"]
            if endpoint.stores:
                assert answer.status_code == 507, _named(endpoint)
                assert answer.json()["type"] == "urn:cortex:problem:store-not-writable"
                assert int(answer.headers["retry-after"]) > 0
                assert not arrived
            else:
                assert answer.status_code == 200, _named(endpoint)
                assert len(arrived) == 1


def test_the_guard_says_when_to_come_again(client_server):
    answer_before = client_server.guard.answer
    client_server.guard.answer = lambda request: Answer(
        507 if request.path == "/writable" else 200, headers=(("Retry-After", "17"),)
    )
    try:
        with client_server.running.client("admin-token") as client:
            wait_until(lambda: client.post("/v1/collections", json={}).status_code == 507, "the gateway to know", 10)
            assert client.post("/v1/collections", json={}).headers["retry-after"] == "17"
    finally:
        client_server.guard.answer = answer_before
    with client_server.running.client("admin-token") as client:
        wait_until(lambda: client.post("/v1/collections", json={}).status_code == 200, "the store to be open again", 10)


def test_a_guard_that_does_not_answer_closes_nothing(closed):
    """As while its container is restarted: callers wait for the server, which is what they came for."""
    closed.guard.answer = lambda _: Answer(500)
    try:
        with closed.running.client("admin-token") as client:
            wait_until(lambda: client.post("/v1/collections", json={}).status_code == 200, "writes to pass", 10)
    finally:
        closed.guard.answer = closed.guard._judged


def test_health_tells_whether_anything_is_served(client_server):
    with client_server.running.client() as client:
        wait_until(lambda: client.get("/healthz").status_code == 200, "the gateway to be healthy", 10)
        assert client.get("/healthz").json() == {"status": "ok"}
        client_server.guard.ready = False
        try:
            wait_until(lambda: client.get("/healthz").status_code == 503, "the gateway to know", 10)
            assert client.get("/healthz").headers["retry-after"] == "5"
        finally:
            client_server.guard.ready = True
        wait_until(lambda: client.get("/healthz").status_code == 200, "the gateway to be healthy", 10)


def test_metrics_are_on_their_own_door(client_server):
    running = client_server.running
    text = httpx.get(f"{running.metrics_url}/metrics").text
    assert 'haproxy_backend_http_responses_total{proxy="chroma"' in text
    assert httpx.get(f"{running.metrics_url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{running.metrics_url}/api/v2/heartbeat").status_code == 404
    for secret in ("read-token", "inner-credential"):
        assert secret not in text
