"""The table of endpoints: complete, unambiguous, and what the maps say is what the table says."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from cortex_api import access_rules
from cortex_api.app import create_app
from cortex_api.auth import Role as ApiRole
from hypothesis import given
from hypothesis import strategies as st

from infra.gateway import cortex, native, table
from infra.gateway.endpoint import Endpoint, Scope, Target
from infra.gateway.pattern import NAME, regular_expression, shape, spellings
from infra.vocabulary import Role

EVERY = table.endpoints(with_chroma=True)
ID = "0d5c2a52-3b5e-4a52-9f0e-6f6f3c1a7b11"


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def filled(path: str, name: str = "some-name") -> str:
    return re.sub(r"\{(\w+)\}", lambda found: ID if found[1] == "collection_id" else name, path)


def found(listed: tuple[Endpoint, ...], method: str, path: str) -> list[str]:
    """The values of all lines of the map that fit."""
    lines = [line.split(" ") for line in table.endpoint_map(listed).splitlines()]
    return [value for pattern, value in lines if re.search(pattern, f"{method}:{path}")]


@pytest.mark.parametrize("endpoint", EVERY, ids=named)
def test_each_endpoint_is_found_by_exactly_one_line(endpoint):
    for name in ("some-name", "by-id", "count", "collections", "a%20b", ID):
        assert found(EVERY, endpoint.method, filled(endpoint.path, name)) == [table.fields(endpoint)]


def test_an_id_where_a_name_stands_is_a_name():
    """A collection may be called like an id: reading it by its name is the endpoint with the name."""
    path = f"/api/v2/tenants/t/databases/d/collections/{ID}"
    (value,) = found(EVERY, "GET", path)
    assert value.split("|")[2] == Scope.DATABASE
    (value,) = found(EVERY, "PUT", path)
    assert value.split("|")[2] == Scope.COLLECTION


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/tenants/..",
        "/api/v2/tenants/.",
        "/api/v2/tenants/../databases",
        "/api/v2/tenants/a/databases/..",
        "/api/v2/tenants//databases",
        "/api/v2/tenants/",
        "/api/v2/tenants/a/",
        "/api/v2/tenants/%2e%2e",
        "/api/v2/tenants/%2E",
        "/api/v2/tenants/a%2Fb",
        "/api/v2/tenants/a%5Cb",
        "/api/v2/tenants/%61",
        "/api/v2/tenants/%c3%a4",
        "/api/v2/tenants/a%25b",
        "/api/v2/tenants/a%00",
        "/api/v2/tenants/a%0A",
        "/api/v2/tenants/a%7F",
        "/api/v2/tenants/a;b",
        "/api/v2/tenants/a b",
        "/api/v2/tenants/a\n",
        "/api/v2/tenants/ä",
        "/api/v2x/heartbeat",
        "x/api/v2/heartbeat",
        "/v1/collections/",
        "/docs/",
        "/docs/a/b",
    ],
)
def test_other_spellings_are_in_no_line(path):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        assert found(EVERY, method, path) == []


@given(st.text(min_size=1, max_size=30))
def test_a_name_has_at_most_the_spellings_of_clients(name):
    """Whatever a tenant is called, clients write it in a way that the table knows, or it cannot be written."""
    try:
        written = spellings(name)
    except ValueError:
        assert re.search(r"[\x00-\x1f\x7f/\\%]", name) or name in {".", ".."}, name
        return
    except UnicodeEncodeError:
        assert re.search("[\ud800-\udfff]", name)
        return
    for each in written:
        assert re.fullmatch(NAME, each)
        assert found(EVERY, "GET", f"/api/v2/tenants/{each}")


@given(st.from_regex(rf"\A{NAME}\Z"))
def test_what_the_table_lets_through_is_one_segment(text):
    assert text not in {".", ".."}
    assert not re.search(r"[/\\?#\s]|%2[fFeE]|%5[cC]|%25|%0|%1|%7F", text)


def test_each_method_that_a_path_has_is_told():
    lines = [line.split(" ") for line in table.method_map(EVERY).splitlines()]
    for endpoint in EVERY:
        for path in {filled(endpoint.path), filled(endpoint.path, ID)}:
            methods = [value for pattern, value in lines if re.search(pattern, path)]
            assert endpoint.method in ",".join(methods).split(",")


def test_roles_as_the_design_has_them():
    """Creating and removing tenants and databases, and reset: admin. Reading one's own: everybody."""
    role = {(each.method, each.path.removeprefix(native.ROOT)): each.role for each in native.ENDPOINTS}
    tenant, database = "/tenants/{tenant}", "/tenants/{tenant}/databases/{database}"
    for call in (
        ("POST", "/reset"),
        ("POST", "/tenants"),
        ("PATCH", tenant),
        ("POST", f"{tenant}/databases"),
        ("DELETE", database),
    ):
        assert role[call] is Role.ADMIN
    for call in (("GET", tenant), ("GET", database), ("GET", "/auth/identity"), ("GET", "/pre-flight-checks")):
        assert role[call] is Role.READ
    for (_, path), needed in role.items():
        end = path.rpartition("/")[2]
        if end in {"query", "get", "search", "count"}:
            assert needed is Role.READ
        if end in {"add", "upsert", "update", "delete"}:
            assert needed is Role.WRITE
    assert None not in role.values()


def test_only_what_is_safe_is_sent_twice():
    again = {(each.method, each.path.rpartition("/")[2]) for each in EVERY if each.repeatable and each.method != "GET"}
    assert again == {(("POST"), end) for end in ("get", "query", "search", "upsert", "documents")}
    assert all(not each.repeatable for each in EVERY if each.method in {"PUT", "PATCH", "DELETE"})


def test_what_stores_is_told_apart_from_what_reads():
    assert all(each.stores for each in EVERY if each.role in {Role.WRITE, Role.ADMIN} and each.method != "GET")
    assert not [each for each in EVERY if each.stores and each.path.endswith(("/query", "/get", "/search", "/count"))]


def test_data_of_a_collection_is_never_only_limited_by_the_path():
    """Chroma does not look whether the collection of an id is in the database of the path."""
    for each in native.ENDPOINTS:
        if "{collection_id}" in each.path and "by-id" not in each.path:
            assert each.scope is Scope.COLLECTION, each.path
        elif "{database}" in each.path:
            assert each.scope in {Scope.DATABASE, Scope.WHOLE_TENANT}
        elif "{tenant}" in each.path:
            assert each.scope in {Scope.TENANT, Scope.WHOLE_TENANT, Scope.EVERYTHING}


def test_the_table_has_the_apis_routes_with_the_apis_roles():
    settings = SimpleNamespace(start_wait_s=0.0)
    app = create_app(SimpleNamespace(phase=None, load=None, started_at_s=0.0, settings=settings), None)
    while not hasattr(app, "routes"):
        app = app._app
    # FastAPI keeps the routers that it includes.
    included = [route for each in app.routes for route in getattr(each, "original_router", app).routes]
    offered = {}
    for route in included:
        for method in getattr(route, "methods", None) or ():
            needed = [dependency.dependency for dependency in getattr(route, "dependencies", ())]
            roles = {cell.cell_contents for each in needed for cell in each.__closure__ or ()}
            (role,) = {each for each in roles if isinstance(each, ApiRole)} or {None}
            offered[method, shape(route.path)] = role
    del offered["GET", "/healthz"]  # the gateway's own answer stands in its place
    assets = {call for call in offered if call[1].startswith("/docs/")}
    offered = {call: role for call, role in offered.items() if call not in assets and call[0] != "HEAD"}
    listed = {(each.method, shape(each.path)): each.role for each in cortex.ENDPOINTS}
    assert all(re.fullmatch(regular_expression("/docs/{asset}"), path) for _, path in assets)
    del listed["GET", "/docs/{}"]
    assert {call: role.name.lower() if role else None for call, role in offered.items()} == {
        call: role.value if role else None for call, role in listed.items()
    }
    assert access_rules  # the roles above are what its `needs` was given


def test_single_node_has_the_apis_endpoints_only():
    assert {each.target for each in table.endpoints(with_chroma=False)} == {Target.API, Target.API_STREAM}
