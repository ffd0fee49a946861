"""Which role a route needs."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request

from cortex_api.auth import Principal, Role
from cortex_api.problems import Problem
from cortex_api.runtime import Runtime


def needs(role: Role) -> Any:
    """A route's dependency: the token must have `role` or more."""

    async def check(request: Request) -> None:
        principal: Principal = request.state.principal
        if principal.role < role:
            raise Problem(
                403,
                "role-too-low",
                f"token {principal.name!r} has the role {principal.role.name.lower()}, this needs {role.name.lower()}",
            )

    return Depends(check)


async def runtime_of(request: Request) -> Runtime:
    """The process's parts."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's entries for error answers."""
    media = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    common = (401, 403, 422, 429, 503)
    return {status: {"description": _DESCRIPTIONS[status], "content": media} for status in sorted({*common, *statuses})}


_DESCRIPTIONS = {
    401: "no valid token",
    403: "the token's role is too low",
    404: "there is no such collection",
    409: "the collection exists, has another model, or there are too many",
    413: "the body is too large",
    415: "the body is of another kind",
    422: "fields are wrong; all are listed",
    429: "too much at once; see Retry-After",
    503: "starting, stopping or busy; see Retry-After",
    507: "the store's disk is full",
}
