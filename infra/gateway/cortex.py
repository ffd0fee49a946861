"""Every endpoint of the Cortex API (docs/api.md). A test compares this table with the API's own routes."""

from __future__ import annotations

from infra.gateway.endpoint import Endpoint, Scope, Target
from infra.vocabulary import Role

# What the API works on; a token limited to others has nothing to ask here.
TENANT, DATABASE = "default_tenant", "default_database"
_COLLECTIONS = "/v1/collections"
_COLLECTION = f"{_COLLECTIONS}/{{name}}"
_DOCUMENTS = f"{_COLLECTION}/documents"


def _open(path: str) -> Endpoint:
    return Endpoint("GET", path, None, Target.API, Scope.NOTHING, repeatable=True)


def _reads(path: str, method: str = "GET") -> Endpoint:
    return Endpoint(method, path, Role.READ, Target.API, Scope.DATABASE, repeatable=True)


ENDPOINTS = (
    # Documentation: no data, and a browser has no token when it asks for it.
    _open("/docs"),
    _open("/docs/{asset}"),
    _open("/openapi.json"),
    _reads("/v1/status"),
    _reads(_COLLECTIONS),
    Endpoint("POST", _COLLECTIONS, Role.ADMIN, Target.API, Scope.DATABASE, repeatable=False),
    _reads(_COLLECTION),
    Endpoint("DELETE", _COLLECTION, Role.ADMIN, Target.API, Scope.DATABASE, repeatable=False),
    _reads(f"{_COLLECTION}/count"),
    _reads(_DOCUMENTS),
    # An upsert.
    Endpoint("POST", _DOCUMENTS, Role.WRITE, Target.API, Scope.DATABASE, repeatable=True),
    _reads(f"{_DOCUMENTS}/get", "POST"),
    Endpoint("POST", f"{_DOCUMENTS}/delete", Role.WRITE, Target.API, Scope.DATABASE, repeatable=False),
    Endpoint("POST", f"{_DOCUMENTS}/stream", Role.WRITE, Target.API_STREAM, Scope.DATABASE, repeatable=False),
    _reads(f"{_COLLECTION}/query", "POST"),
)
