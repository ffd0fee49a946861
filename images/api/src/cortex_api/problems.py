"""Errors as RFC 9457 problem documents: what is wrong, where, and what would do. Never a stack trace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:cortex:problem:"


class FieldProblem(BaseModel):
    """One field that is wrong."""

    where: str = Field(examples=["body.documents[3].vector"])
    message: str = Field(examples=["has 3 numbers, the collection has 384 dimensions"])


class ProblemDocument(BaseModel):
    """What every error answer looks like (RFC 9457)."""

    type: str = Field(examples=["urn:cortex:problem:invalid-request"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["1 field is wrong"])
    instance: str = Field(examples=["/v1/collections/notes/documents"])
    request_id: str = Field(examples=["3f8a1c0b9d2e4f57"])
    errors: list[FieldProblem] = Field(default=[], description="every field that is wrong")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong in a request: where (`body.documents[3].id`) and what."""

    where: str
    message: str


class Problem(HTTPException):
    """An answer other than success. An HTTPException, so that Starlette and FastAPI pass it through unchanged."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        *,
        errors: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe the problem.

        Args:
            status: HTTP status.
            slug: end of the problem's type, stable, for programs.
            detail: for the reader who must act.
            errors: fields that are wrong.
            headers: of the answer.
            extra: further members of the document.
        """
        super().__init__(status, detail, dict(headers or {}))
        self.slug = slug
        self.errors = tuple(errors)
        self.extra = dict(extra or {})


def invalid(errors: Sequence[Wrong]) -> Problem:
    """422 for fields that are wrong."""
    count = "1 field is wrong" if len(errors) == 1 else f"{len(errors)} fields are wrong"
    return Problem(422, "invalid-request", f"{count}: {errors[0].where} {errors[0].message}", errors=errors)


def document(problem: Problem, path: str, request_id: str) -> dict[str, Any]:
    """The problem document of `problem`."""
    body: dict[str, Any] = {
        "type": _TYPE_PREFIX + problem.slug,
        "title": _title(problem.status_code),
        "status": problem.status_code,
        "detail": problem.detail,
        "instance": path,
        "request_id": request_id,
    }
    if problem.errors:
        body["errors"] = [{"where": wrong.where, "message": wrong.message} for wrong in problem.errors]
    return body | problem.extra


def response(problem: Problem, path: str, request_id: str) -> Response:
    """The HTTP answer of `problem`."""
    # As ASCII: a message may repeat what the caller sent, also what UTF-8 cannot hold.
    body = json.dumps(document(problem, path, request_id))
    return Response(body, problem.status_code, dict(problem.headers or {}), MEDIA_TYPE)


def path_of(location: Sequence[int | str]) -> str:
    """`("body", "documents", 3, "id")` as `body.documents[3].id`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""

    async def from_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- registered for this type
        if not isinstance(error, Problem):
            slug = _title(error.status_code).lower().replace(" ", "-")
            error = Problem(error.status_code, slug, _sentence(error, request), headers=error.headers)
        return response(error, request.url.path, request.state.request_id)

    async def from_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- registered for this type
        wrongs = [Wrong(_where(item), _message(item)) for item in error.errors()]
        return response(invalid(wrongs), request.url.path, request.state.request_id)

    app.add_exception_handler(HTTPException, from_problem)
    app.add_exception_handler(RequestValidationError, from_validation)


def _where(item: Mapping[str, Any]) -> str:
    return "body" if item["type"] == "json_invalid" else path_of(item["loc"])


def _message(item: Mapping[str, Any]) -> str:
    reason = item.get("ctx", {}).get("error")
    if item["type"] == "json_invalid":
        return f"is not JSON: {reason} at character {item['loc'][-1]}"
    return str(item["msg"]).removeprefix("Value error, ")


def _sentence(error: HTTPException, request: Request) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return f"there is nothing at {request.url.path}; /docs lists what there is"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "another method")
        return f"{request.method} is not possible here; use {allowed}"
    return str(error.detail)


def _title(status: int) -> str:
    try:
        return "Unprocessable Content" if status == 422 else HTTPStatus(status).phrase
    except ValueError:
        return "Error"
