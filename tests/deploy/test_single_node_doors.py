"""What each published door answers, and to whom."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.deploy.deployment import Deployment

GUARDED = [
    ("GET", "/v1/status"),
    ("GET", "/v1/collections"),
    ("POST", "/v1/collections"),
    ("POST", "/v1/collections/any/query"),
    ("DELETE", "/v1/collections/any"),
]
PROBLEM = "application/problem+json"


@pytest.fixture(params=["url", "plain_url"])
def door(deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client without a token, at the door with TLS and at the one without."""
    with httpx.Client(
        base_url=deployment.output(request.param), verify=deployment.trust(), timeout=60, trust_env=False
    ) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}, {"x-chroma-token": "wrong"}],
    ids=["no token", "wrong token", "password", "wrong token of Chroma's"],
)
def test_a_token_is_needed(door: httpx.Client, headers: dict[str, str]) -> None:
    for method, path in GUARDED:
        answer = door.request(method, path, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.headers["content-type"] == PROBLEM
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_either_header_brings_the_token(door: httpx.Client, deployment: Deployment) -> None:
    token = deployment.token()
    for headers in ({"Authorization": f"Bearer {token}"}, {"x-chroma-token": token}):
        assert door.get("/v1/status", headers=headers).status_code == 200


def test_a_token_ends(deployment: Deployment) -> None:
    with deployment.client(deployment.token("former")) as client:
        answer = client.get("/v1/status")
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:cortex:problem:token-expired"
    with deployment.client(deployment.token("reader")) as client:
        assert client.get("/v1/status").status_code == 200


def test_a_role_is_a_limit(deployment: Deployment) -> None:
    body = {"name": "roles", "embedding": "own", "dimensions": 2}
    rows = {"documents": [{"id": "a", "vector": [1.0, 2.0]}]}
    statuses = {}
    for name in ("admin", "writer", "reader"):
        with deployment.client(deployment.token(name)) as client:
            made = client.post("/v1/collections", json=body).status_code
            written = client.post("/v1/collections/roles/documents", json=rows).status_code
            read = client.get("/v1/collections/roles/count").status_code
            statuses[name] = (made, written, read)
    with deployment.client() as client:
        assert client.delete("/v1/collections/roles").is_success
    assert statuses == {"admin": (201, 200, 200), "writer": (403, 200, 200), "reader": (403, 403, 200)}


def test_health_and_documentation_need_no_token(door: httpx.Client) -> None:
    for path in ("/healthz", "/docs", "/openapi.json"):
        assert door.get(path).status_code == 200, path


def test_paths_that_nobody_has_are_refused(deployment: Deployment) -> None:
    with deployment.client() as client:
        for path in ("/", "/metrics", "/guard/readyz", "/v2", "/v1/collections/a/b/c"):
            assert client.get(path).status_code == 404, path


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v2"), ("GET", "/api/v2/heartbeat"), ("POST", "/api/v2/reset"), ("GET", "/api/v2/tenants/a")],
)
def test_chromas_own_interface_is_not_there(deployment: Deployment, method: str, path: str) -> None:
    with deployment.client() as client:
        answer = client.request(method, path)
    assert answer.status_code == 501
    assert answer.headers["content-type"] == PROBLEM
    assert "cortex:topology to client-server" in answer.json()["detail"]


def test_the_metrics_door_tells_of_the_gateway_and_of_the_store(deployment: Deployment) -> None:
    with deployment.metrics_client() as door:
        assert "haproxy_" in door.get("/metrics").text
        assert "cortex_" in door.get("/guard/metrics").text
        assert door.get("/healthz").status_code == 200
        for path in ("/", "/v1/status", "/guard", "/guard/restart", "/api/v2/heartbeat", "/guard/../v1/status"):
            assert door.get(path).status_code == 404, path
        assert door.post("/guard/readyz").status_code == 404
