"""`/v1/collections/{name}/documents` and `/query`: write, read, remove and search records."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from cortex_api import answers, checks, searching
from cortex_api import schemas as shapes
from cortex_api.access_rules import errors, needs, runtime_of
from cortex_api.auth import Role
from cortex_api.problems import Wrong, invalid
from cortex_api.runtime import Runtime
from cortex_api.searching import included
from cortex_api.storage import Selection

router = APIRouter(prefix="/v1/collections/{name}", tags=["documents"])
RuntimeOf = Annotated[Runtime, Depends(runtime_of)]


@router.post(
    "/documents",
    response_model=shapes.UpsertAnswer,
    responses=errors(404, 409, 413, 507),
    dependencies=[needs(Role.WRITE)],
)
def upsert(name: str, asked: shapes.Upsert, runtime: RuntimeOf, request: Request) -> Response:
    """Write records: new ones are added, those with a known id are changed.

    Of a known record, text, vector and each metadata key that is given are replaced; a metadata key set to null is
    removed, others stay.
    """
    indexer = runtime.indexer
    collection = indexer.writable(name)
    rows = asked.documents
    limit = runtime.settings.max_request_rows
    checks.require(checks.at_most(len(rows), limit, "body.documents", "rows", "CORTEX_MAX_REQUEST_ROWS"))
    checks.require(checks.documents(rows, collection, runtime.settings))
    if asked.on_overlong == "reject":
        indexer.refuse_overlong(rows)
    written = indexer.write(collection, rows)
    request.state.rows = written.rows
    return answers.Json({"upserted": written.rows, "truncated": written.truncated})


@router.get("/documents", response_model=shapes.RecordPage, responses=errors(404), dependencies=[needs(Role.READ)])
def list_documents(  # noqa: PLR0917 -- one per query parameter
    name: str,
    runtime: RuntimeOf,
    request: Request,
    ids: Annotated[list[shapes.Id] | None, Query(alias="id", description="may be repeated")] = None,
    limit: Annotated[int, Query(ge=1)] = 100,
    offset: Annotated[int, Query(ge=0, le=shapes.MAX_OFFSET)] = 0,
    include: Annotated[list[shapes.IncludeName] | None, Query(description="may be repeated")] = None,
) -> Response:
    """Read records, a page at a time, in order of insertion. Records removed meanwhile shift the pages."""
    asked = shapes.Get(ids=ids, limit=limit, offset=offset, include=include or ["text", "metadata"])
    return _page(name, asked, runtime, request, "query")


@router.post(
    "/documents/get", response_model=shapes.RecordPage, responses=errors(404, 413), dependencies=[needs(Role.READ)]
)
def get_documents(name: str, asked: shapes.Get, runtime: RuntimeOf, request: Request) -> Response:
    """Read records by ids or filters, a page at a time."""
    return _page(name, asked, runtime, request, "body")


def _page(name: str, asked: shapes.Get, runtime: Runtime, request: Request, where: str) -> Response:
    settings = runtime.settings
    checks.require(
        [
            *checks.at_most(asked.limit, settings.max_page_rows, f"{where}.limit", "rows", "CORTEX_MAX_PAGE_ROWS"),
            *checks.at_most(
                len(asked.ids or ()), settings.max_request_rows, f"{where}.ids", "ids", "CORTEX_MAX_REQUEST_ROWS"
            ),
        ]
    )
    include = included(asked.include)
    selection = Selection(asked.ids, asked.where, asked.where_document)
    records = runtime.storage.get(name, selection, asked.limit, asked.offset, include)
    request.state.rows = len(records)
    shown = [answers.record(each, include) for each in records]
    return answers.Json({"documents": shown, "limit": asked.limit, "offset": asked.offset})


@router.post(
    "/documents/delete",
    response_model=shapes.DeleteAnswer,
    responses=errors(404, 413),
    dependencies=[needs(Role.WRITE)],
)
def delete_documents(name: str, asked: shapes.Delete, runtime: RuntimeOf, request: Request) -> Response:
    """Remove records by ids or filters; ids that are not there are no error."""
    if asked.ids is None and not asked.where and not asked.where_document:
        raise invalid([Wrong("body", "give ids, where or where_document; to remove all, delete the collection")])
    limit = runtime.settings.max_request_rows
    checks.require(checks.at_most(len(asked.ids or ()), limit, "body.ids", "ids", "CORTEX_MAX_REQUEST_ROWS"))
    removed = runtime.storage.delete(name, Selection(asked.ids, asked.where, asked.where_document))
    request.state.rows = removed
    return answers.Json({"deleted": removed})


@router.post(
    "/query",
    response_model=shapes.QueryAnswer,
    responses=errors(404, 409, 413),
    dependencies=[needs(Role.READ)],
)
def query(name: str, asked: shapes.Query, runtime: RuntimeOf, request: Request) -> Response:
    """Find the records nearest to texts or vectors."""
    found = searching.search(name, asked, runtime.storage, runtime.embedder, runtime.settings)
    include = included(asked.include)
    request.state.rows = sum(map(len, found.matches))
    results = [{"matches": [answers.record(each, include) for each in matches]} for matches in found.matches]
    return answers.Json({"results": results, "truncated": found.truncated})
