"""Each role can do exactly its part at the deployed gateway: every endpoint, native and /v1, against what is behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from infra.gateway import cortex, native
from infra.gateway.asked import UNKNOWN_PATH
from infra.gateway.endpoint import Endpoint, Scope, Target
from infra.vocabulary import Role
from tests.deploy.deployment import Deployment

ABSENT = "0d5c2a52-3b5e-4a52-9f0e-6f6f3c1a7b11"
FILLED = {"tenant": "tenant_b", "database": "db_b", "collection_id": ABSENT, "crn": "a%3Ab%3Ac", "asset": "absent.js"}
EVERY = (*cortex.ENDPOINTS, *native.ENDPOINTS)
HOLDERS = {Role.READ: "reader", Role.WRITE: "writer", Role.ADMIN: "admin"}
RANK = {Role.READ: 1, Role.WRITE: 2, Role.ADMIN: 3}
GATEWAYS = "urn:cortex:problem:"
WRONG = {
    "no token": ({}, "token-needed"),
    "empty": ({"x-chroma-token": ""}, "token-needed"),
    "password": ({"authorization": "Basic YTpi"}, "token-needed"),
    "wrong": ({"authorization": "Bearer wrong"}, "token-unknown"),
    "wrong, Chroma's header": ({"x-chroma-token": "wrong"}, "token-unknown"),
}


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def path_of(endpoint: Endpoint) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: FILLED.get(found[1], "absent-name"), endpoint.path)


def call(client: httpx.Client, endpoint: Endpoint) -> httpx.Response:
    """Ask for something that is not there, with a body that says nothing: whoever answers, nothing is changed."""
    body = b"{}" if endpoint.method in {"POST", "PUT", "PATCH"} else None
    headers = {"content-type": "application/json"} if body else {}
    return client.request(endpoint.method, path_of(endpoint), content=body, headers=headers)


def refused_as(answer: httpx.Response) -> str:
    """What the gateway refused it as; empty when it did not."""
    said = answer.json() if answer.headers.get("content-type", "").startswith("application/problem+json") else {}
    slug = str(said.get("type", "")).removeprefix(GATEWAYS)
    if said.get("detail") == UNKNOWN_PATH.detail:
        return "unknown-path"
    return slug if slug in {"role-too-low", "out-of-reach", "not-implemented"} or slug.startswith("token-") else ""


@pytest.fixture(scope="module")
def holders(client_server: Deployment) -> Iterator[dict[str, httpx.Client]]:
    """A client for each token, by its name."""
    client_server.wait_healthy()
    made = {name: client_server.client(client_server.token(name)) for name in client_server.settings["tokens"]}
    made["nobody"] = client_server.client()
    del made["nobody"].headers["authorization"]
    yield made
    for client in made.values():
        client.close()


@pytest.mark.parametrize("endpoint", EVERY, ids=named)
def test_a_role_reaches_what_it_may_and_nothing_else(holders: dict[str, httpx.Client], endpoint: Endpoint) -> None:
    for role, name in HOLDERS.items():
        answer = call(holders[name], endpoint)
        if endpoint.role is not None and RANK[role] < RANK[endpoint.role]:
            assert (answer.status_code, refused_as(answer)) == (403, "role-too-low")
        elif endpoint.target is Target.NOBODY:
            assert (answer.status_code, refused_as(answer)) == (501, "not-implemented")
        else:
            # Whoever is behind the gateway answered: there is no such thing, or the body says nothing.
            assert refused_as(answer) == "", answer.text
            assert answer.status_code not in {401, 405, 411, 429, 502, 503, 504, 507}, answer.text


@pytest.mark.parametrize("endpoint", [each for each in EVERY if each.role], ids=named)
def test_without_a_valid_token_nothing_is_reached(holders: dict[str, httpx.Client], endpoint: Endpoint) -> None:
    for name, slug in (("former", "token-expired"), ("nobody", "token-needed")):
        answer = call(holders[name], endpoint)
        assert (answer.status_code, refused_as(answer)) == (401, slug)
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("path", ["/api/v2/heartbeat", "/v1/status"])
def test_wrong_tokens_are_refused(holders: dict[str, httpx.Client], path: str, how: str) -> None:
    headers, slug = WRONG[how]
    answer = holders["nobody"].get(path, headers=headers)
    assert (answer.status_code, refused_as(answer)) == (401, slug)


def test_either_header_brings_the_token(client_server: Deployment, holders: dict[str, httpx.Client]) -> None:
    token = client_server.token("reader")
    for headers in ({"Authorization": f"Bearer {token}"}, {"x-chroma-token": token}):
        for path in ("/api/v2/heartbeat", "/v1/status"):
            assert holders["nobody"].get(path, headers=headers).status_code == 200


@pytest.mark.parametrize("endpoint", [each for each in EVERY if each.target is not Target.NOBODY], ids=named)
def test_a_limited_token_reaches_its_own_and_nothing_else(holders: dict[str, httpx.Client], endpoint: Endpoint) -> None:
    of_api = endpoint.target in {Target.API, Target.API_STREAM} and endpoint.role is not None
    for name in ("of-database", "of-tenant"):
        # The API works on the default tenant; a whole tenant is for whoever is not limited to one of its databases.
        own = endpoint.scope is not Scope.EVERYTHING and not of_api
        own = own and (endpoint.scope is not Scope.WHOLE_TENANT or name == "of-tenant")
        answer = call(holders[name], endpoint)
        assert refused_as(answer) == ("" if own else "out-of-reach"), answer.text
        if "{tenant}" in endpoint.path:
            body = b"{}" if endpoint.method != "GET" else None
            elsewhere = path_of(endpoint).replace("tenant_b", "tenant_a")
            assert refused_as(holders[name].request(endpoint.method, elsewhere, content=body)) == "out-of-reach"


def test_a_limited_token_does_not_reach_collections_of_others(holders: dict[str, httpx.Client]) -> None:
    """Chroma itself gives a collection to whoever knows its id, whatever database the path names."""
    admin, limited, tenant = holders["admin"], holders["of-database"], holders["of-tenant"]
    paths = {}
    for owner, name in (("tenant_a", "db_a"), ("tenant_b", "db_b"), ("tenant_b", "db_c")):
        admin.post("/api/v2/tenants", json={"name": owner})
        made = admin.post(f"/api/v2/tenants/{owner}/databases", json={"name": name})
        assert made.status_code in {200, 409}, made.text
        paths[name] = f"/api/v2/tenants/{owner}/databases/{name}/collections"
    body = {"name": "mine", "get_or_create": True}
    ids = {name: admin.post(path, json=body).json()["id"] for name, path in paths.items()}
    assert limited.get(f"{paths['db_b']}/{ids['db_b']}/count").text == "0"
    assert limited.get(f"{paths['db_b']}/{ids['db_a']}/count").status_code == 404
    assert limited.get(f"{paths['db_b']}/{ids['db_c']}/count").status_code == 404
    assert limited.get(f"{paths['db_c']}/{ids['db_c']}/count").status_code == 403
    assert tenant.get(f"{paths['db_c']}/{ids['db_c']}/count").text == "0"
    assert tenant.get(f"{paths['db_a']}/{ids['db_a']}/count").status_code == 403
    for path in paths.values():
        assert admin.delete(f"{path}/mine").is_success
