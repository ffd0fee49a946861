"""Each role can do exactly its part: every endpoint of the table, with every kind of token."""

from __future__ import annotations

import re

import httpx
import pytest

from infra.gateway import cortex, native
from infra.gateway.endpoint import Endpoint, Scope, Target
from infra.vocabulary import Role

ID = "0d5c2a52-3b5e-4a52-9f0e-6f6f3c1a7b11"
FILLED = {"tenant": "tenant_b", "database": "db_b", "collection_id": ID, "crn": "a%3Ab%3Ac"}
BY_ROLE = {Role.READ: "read-token", Role.WRITE: "write-token", Role.ADMIN: "admin-token"}
RANK = {Role.READ: 1, Role.WRITE: 2, Role.ADMIN: 3}
EVERY = (*cortex.ENDPOINTS, *native.ENDPOINTS)


def _named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def _path(endpoint: Endpoint) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: FILLED.get(found[1], "some-name"), endpoint.path)


def _call(client: httpx.Client, endpoint: Endpoint) -> httpx.Response:
    body = b"{}" if endpoint.method in {"POST", "PUT", "PATCH"} else None
    return client.request(endpoint.method, _path(endpoint), content=body)


@pytest.fixture(scope="module")
def clients(client_server):
    """A client for each role, one without a token, and one with an expired one."""
    made = {role: client_server.running.client(token) for role, token in BY_ROLE.items()}
    made |= {name: client_server.running.client(token) for name, token in (("none", None), ("old", "expired-token"))}
    yield made
    for client in made.values():
        client.close()


@pytest.mark.parametrize("endpoint", EVERY, ids=_named)
def test_a_role_reaches_what_it_may_and_nothing_else(client_server, clients, endpoint):
    to, other = (
        (client_server.chroma, client_server.api)
        if endpoint.path.startswith(native.ROOT)
        else (client_server.api, client_server.chroma)
    )
    for role in Role:
        to.forget()
        other.forget()
        answer = _call(clients[role], endpoint)
        arrived = [each for each in to.arrived if each.path != "/healthz"]
        assert not [each for each in other.arrived if each.path != "/healthz"]
        if endpoint.role is not None and RANK[role] < RANK[endpoint.role]:
            assert answer.status_code == 403
            assert answer.json()["type"] == "urn:cortex:problem:role-too-low"
            assert not arrived
        elif endpoint.target is Target.NOBODY:
            assert answer.status_code == 501
            assert not arrived
        else:
            assert answer.status_code == 200, answer.text
            (came,) = arrived
            assert (came.method, came.path) == (endpoint.method, _path(endpoint))
            # The token ends here.
            assert came.header("x-chroma-token") is None
            assert came.header("authorization") is None


@pytest.mark.parametrize("endpoint", [each for each in EVERY if each.role], ids=_named)
def test_without_a_valid_token_nothing_is_reached(client_server, clients, endpoint):
    client_server.chroma.forget()
    client_server.api.forget()
    for name, slug in (("none", "token-needed"), ("old", "token-expired")):
        answer = _call(clients[name], endpoint)
        assert answer.status_code == 401
        assert answer.json()["type"] == f"urn:cortex:problem:{slug}"
        assert answer.headers["www-authenticate"].startswith('Bearer realm="cortex"')
    assert not [each for each in (*client_server.api.arrived, *client_server.chroma.arrived) if each.path != "/healthz"]


@pytest.mark.parametrize("endpoint", [each for each in EVERY if each.target is not Target.NOBODY], ids=_named)
def test_a_limited_token_reaches_its_own_and_nothing_else(client_server, endpoint):
    open_to = {
        Scope.NOTHING: {"of-one", "of-all"},
        Scope.TENANT: {"of-one", "of-all"},
        Scope.WHOLE_TENANT: {"of-all"},
        Scope.DATABASE: {"of-one", "of-all"},
        Scope.COLLECTION: {"of-one", "of-all"},
        Scope.EVERYTHING: set(),
    }[endpoint.scope]
    if endpoint.target in {Target.API, Target.API_STREAM} and endpoint.role is not None:
        open_to = set()  # the API works on the default tenant, and these are limited to another
    for name, token in (("of-one", "one-database-token"), ("of-all", "one-tenant-token")):
        with client_server.running.client(token) as client:
            assert _call(client, endpoint).status_code == (200 if name in open_to else 403)
            for elsewhere in (("tenant_b", "tenant_a"), ("db_b", "db_a")):
                path = _path(endpoint)
                if elsewhere[0] not in path.split("/"):
                    continue
                status = client.request(
                    endpoint.method, path.replace(*elsewhere), content=b"{}" if endpoint.method != "GET" else None
                ).status_code
                whole = name == "of-all" and elsewhere[0] == "db_b" and name in open_to
                assert status == (200 if whole else 403), (name, elsewhere)


@pytest.mark.parametrize("endpoint", cortex.ENDPOINTS, ids=_named)
def test_the_api_is_told_the_role_and_the_name(single_node, endpoint):
    expected = endpoint.role is not None
    with single_node.running.client("admin-token") as client:
        single_node.api.forget()
        assert _call(client, endpoint).status_code == 200
    (came,) = single_node.api.arrived
    assert came.header("x-cortex-role") == ("admin" if expected else None)
    assert came.header("x-cortex-token-name") == ("owner" if expected else None)
    assert (came.header("x-cortex-inner") is not None) is expected


@pytest.mark.parametrize("endpoint", native.ENDPOINTS, ids=_named)
def test_single_node_has_no_interface_of_chroma(single_node, endpoint):
    with single_node.running.client("admin-token") as client:
        single_node.api.forget()
        answer = _call(client, endpoint)
    assert answer.status_code == 501
    assert "cortex:topology" in answer.json()["detail"]
    assert not single_node.api.arrived
