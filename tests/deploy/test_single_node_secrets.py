"""Tokens: needed, stable, rotated, and nowhere to be seen."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.deploy.deployment import Deployment, wait_for

GUARDED = [
    ("GET", "/v1/status"),
    ("GET", "/v1/collections"),
    ("POST", "/v1/collections"),
    ("POST", "/v1/collections/any/query"),
    ("DELETE", "/v1/collections/any"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}])
def test_token_is_needed(deployment: Deployment, method: str, path: str, headers: dict[str, str]) -> None:
    answer = httpx.request(method, deployment.output("url") + path, headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "www-authenticate" in answer.headers


def test_health_needs_no_token(deployment: Deployment) -> None:
    assert httpx.get(deployment.output("url") + "/healthz", trust_env=False).status_code == 200


def test_rotation_replaces_the_token_and_nothing_else(deployment: Deployment) -> None:
    old, container = deployment.output("token"), deployment.inspect()["Id"]
    deployment.set({"tokens": {"generation": 2}})
    deployment.up()
    new = deployment.output("token")
    assert new != old
    assert deployment.inspect()["Id"] == container

    def accepted(token: str) -> bool:
        with deployment.client(token) as client:
            return client.get("/v1/status").status_code == 200

    wait_for(lambda: accepted(new), "the new token to be accepted", 30)
    wait_for(lambda: not accepted(old), "the old token to be refused", 30)
    assert deployment.preview_is_empty()


def test_secrets_are_nowhere_in_the_open(deployment: Deployment) -> None:
    token = deployment.output("token")
    with deployment.client() as client:
        assert client.get("/v1/status").status_code == 200
    places = {
        "docker inspect": deployment.docker(["inspect", deployment.container]),
        "logs": deployment.docker(["logs", deployment.container]),
        "environment": deployment.host().check_output("cat /proc/1/environ"),
        "image history": deployment.docker(["history", "--no-trunc", deployment.inspect()["Image"]]),
        "image configuration": deployment.docker(["image", "inspect", deployment.inspect()["Image"]]),
        "state": json.dumps(json.loads(deployment.run("stack", "export").stdout)),
        "secret files": deployment.host("root").check_output("cat /run/cortex/secrets/tokens.json"),
    }
    assert [place for place, text in places.items() if token in text] == []
