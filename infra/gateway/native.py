"""Every endpoint of Chroma 1.5.9's own HTTP interface, as its OpenAPI and its Python client know it.

A test compares this table with a running Chroma, so a new version cannot bring an endpoint that nobody has classed.
"""

from __future__ import annotations

from infra.gateway.endpoint import Endpoint, Scope, Target
from infra.vocabulary import Role

ROOT = "/api/v2"
_TENANTS = f"{ROOT}/tenants"
_TENANT = f"{_TENANTS}/{{tenant}}"
_DATABASES = f"{_TENANT}/databases"
_DATABASE = f"{_DATABASES}/{{database}}"
_COLLECTIONS = f"{_DATABASE}/collections"
_NAMED = f"{_COLLECTIONS}/{{name}}"
_COLLECTION = f"{_COLLECTIONS}/{{collection_id}}"


def _reads(path: str, scope: Scope, method: str = "GET") -> Endpoint:
    return Endpoint(method, path, Role.READ, Target.CHROMA, scope, repeatable=True)


def _writes(method: str, path: str, scope: Scope, *, repeatable: bool = False) -> Endpoint:
    return Endpoint(method, path, Role.WRITE, Target.CHROMA, scope, repeatable)


def _administers(method: str, path: str, scope: Scope) -> Endpoint:
    return Endpoint(method, path, Role.ADMIN, Target.CHROMA, scope, repeatable=False)


ENDPOINTS = (
    # The server.
    _reads(ROOT, Scope.NOTHING),
    _reads(f"{ROOT}/heartbeat", Scope.NOTHING),
    _reads(f"{ROOT}/healthcheck", Scope.NOTHING),
    _reads(f"{ROOT}/version", Scope.NOTHING),
    _reads(f"{ROOT}/pre-flight-checks", Scope.NOTHING),
    _reads(f"{ROOT}/auth/identity", Scope.NOTHING),
    _administers("POST", f"{ROOT}/reset", Scope.EVERYTHING),
    # Tenants and databases.
    _administers("POST", _TENANTS, Scope.EVERYTHING),
    _reads(_TENANT, Scope.TENANT),
    _administers("PATCH", _TENANT, Scope.EVERYTHING),
    _reads(_DATABASES, Scope.WHOLE_TENANT),
    _administers("POST", _DATABASES, Scope.WHOLE_TENANT),
    _reads(_DATABASE, Scope.DATABASE),
    _administers("DELETE", _DATABASE, Scope.WHOLE_TENANT),
    # Collections.
    _reads(_COLLECTIONS, Scope.DATABASE),
    _reads(f"{_DATABASE}/collections_count", Scope.DATABASE),
    _writes("POST", _COLLECTIONS, Scope.DATABASE),
    _reads(_NAMED, Scope.DATABASE),
    _writes("DELETE", _NAMED, Scope.DATABASE),
    # Chroma looks for this one in the database of the path.
    _reads(f"{_COLLECTIONS}/by-id/{{collection_id}}", Scope.DATABASE),
    _writes("PUT", _COLLECTION, Scope.COLLECTION),
    _writes("POST", f"{_COLLECTION}/fork", Scope.COLLECTION),
    _reads(f"{_COLLECTION}/fork_count", Scope.COLLECTION),
    _reads(f"{_COLLECTION}/indexing_status", Scope.COLLECTION),
    Endpoint("GET", f"{ROOT}/collections/{{crn}}", Role.READ, Target.NOBODY, Scope.EVERYTHING, repeatable=False),
    # Records.
    _reads(f"{_COLLECTION}/count", Scope.COLLECTION),
    _reads(f"{_COLLECTION}/get", Scope.COLLECTION, "POST"),
    _reads(f"{_COLLECTION}/query", Scope.COLLECTION, "POST"),
    _reads(f"{_COLLECTION}/search", Scope.COLLECTION, "POST"),
    _writes("POST", f"{_COLLECTION}/add", Scope.COLLECTION),
    _writes("POST", f"{_COLLECTION}/update", Scope.COLLECTION),
    _writes("POST", f"{_COLLECTION}/upsert", Scope.COLLECTION, repeatable=True),
    _writes("POST", f"{_COLLECTION}/delete", Scope.COLLECTION),
    # Functions that the server runs on every write.
    _administers("POST", f"{_COLLECTION}/functions/attach", Scope.COLLECTION),
    _reads(f"{_COLLECTION}/functions/{{function_name}}", Scope.COLLECTION),
    _administers("POST", f"{_COLLECTION}/attached_functions/{{function_name}}/detach", Scope.COLLECTION),
)
