"""`/v1/collections`: create, list, get, delete, count."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from cortex_api import answers
from cortex_api.access_rules import errors, needs, runtime_of
from cortex_api.auth import Role
from cortex_api.problems import Wrong, invalid
from cortex_api.runtime import Runtime
from cortex_api.schemas import CollectionCreate, CollectionPage, CollectionView, CountAnswer
from cortex_api.storage import CollectionSpec

router = APIRouter(prefix="/v1/collections", tags=["collections"])
RuntimeOf = Annotated[Runtime, Depends(runtime_of)]


@router.post(
    "", status_code=201, response_model=CollectionView, responses=errors(409, 507), dependencies=[needs(Role.ADMIN)]
)
def create_collection(asked: CollectionCreate, runtime: RuntimeOf) -> Response:
    """Make a collection. Its model, dimensions and distance are fixed for ever."""
    made = runtime.storage.create_collection(_spec(asked, runtime))
    location = {"Location": f"/v1/collections/{made.name}"}
    return answers.Json(answers.collection(made, runtime.running_model), 201, location)


@router.get("", response_model=CollectionPage, responses=errors(), dependencies=[needs(Role.READ)])
def list_collections(
    runtime: RuntimeOf,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """List collections, a page at a time."""
    page, total = runtime.storage.list_collections(limit, offset)
    shown = [answers.collection(each, runtime.running_model) for each in page]
    return answers.Json({"collections": shown, "total": total, "limit": limit, "offset": offset})


@router.get("/{name}", response_model=CollectionView, responses=errors(404), dependencies=[needs(Role.READ)])
def get_collection(name: str, runtime: RuntimeOf) -> Response:
    """One collection."""
    return answers.Json(answers.collection(runtime.storage.get_collection(name), runtime.running_model))


@router.delete("/{name}", status_code=204, responses=errors(404), dependencies=[needs(Role.ADMIN)])
def delete_collection(name: str, runtime: RuntimeOf) -> Response:
    """Remove a collection and everything in it."""
    runtime.storage.delete_collection(name)
    return Response(status_code=204)


@router.get("/{name}/count", response_model=CountAnswer, responses=errors(404), dependencies=[needs(Role.READ)])
def count(name: str, runtime: RuntimeOf, request: Request) -> Response:
    """How many records a collection has."""
    records = runtime.storage.count(name)
    request.state.rows = records
    return answers.Json({"count": records})


def _spec(asked: CollectionCreate, runtime: Runtime) -> CollectionSpec:
    model = runtime.running_model
    embedding = asked.embedding or ("model" if model else "own")
    if embedding == "own":
        dimensions = asked.dimensions or runtime.settings.dimensions
        return CollectionSpec(asked.name, dimensions, asked.space, None, asked.metadata)
    if model is None:
        reason = f"cannot be `model`: the weights of {runtime.settings.model} are not here; use `own` and send vectors"
        raise invalid([Wrong("body.embedding", reason)])
    if asked.dimensions not in {None, model.dimensions}:
        reason = f"is {asked.dimensions}, {model.name} makes {model.dimensions}; leave it out, or use `own` vectors"
        raise invalid([Wrong("body.dimensions", reason)])
    return CollectionSpec(asked.name, model.dimensions, asked.space, model, asked.metadata)
