"""The ASGI application: routes, errors and layers put together."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from cortex_api import (
    docs_page,
    health,
    problems,
    routes_collections,
    routes_documents,
    routes_status,
    routes_upload,
)
from cortex_api.access import Access, internal_error
from cortex_api.admission import Admission
from cortex_api.auth import Gateway
from cortex_api.logs import get_logger
from cortex_api.runtime import Runtime
from cortex_api.storage import StorageError
from cortex_api.storage_problems import problem_of

_log = get_logger(__name__)
_DESCRIPTION = """Documents in, search out. Every call but `/healthz` needs `Authorization: Bearer <token>`.
Errors are problem documents (RFC 9457) with a `request_id` that is also in the log."""


def create_app(runtime: Runtime, gateway: Gateway) -> ASGIApp:
    """The application over `runtime`, which may still be opening."""
    app = FastAPI(
        title="Cortex API",
        version=version("cortex-api"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    for router in (
        health.router,
        routes_collections.router,
        routes_upload.router,
        routes_documents.router,
        routes_status.router,
        docs_page.router,
    ):
        app.include_router(router)
    problems.install(app)
    app.add_exception_handler(StorageError, _from_storage)
    app.add_exception_handler(Exception, _from_fault)
    docs_page.install_openapi(app)
    waits_until_s = runtime.started_at_s + runtime.settings.start_wait_s
    return Access(Admission(app, gateway, runtime.phase, runtime.load, waits_until_s=waits_until_s))


async def _from_storage(request: Request, error: Exception) -> Response:
    assert isinstance(error, StorageError)  # noqa: S101 -- registered for this type
    request_id = request.state.request_id
    problem = problem_of(error, request.path_params.get("name"))
    if problem is None:
        _log.error("storage.failed", error=type(error).__name__, reason=str(error))
        return internal_error(request.url.path, request_id)
    if problem.status_code >= 500:
        _log.error("storage.refused", slug=problem.slug, reason=str(error), cause=str(error.__cause__ or ""))
    return problems.response(problem, request.url.path, request_id)


async def _from_fault(request: Request, error: Exception) -> Response:  # noqa: ARG001 -- logged by Access
    return internal_error(request.url.path, request.state.request_id)
