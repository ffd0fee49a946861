"""Every request gets an id, one access-log line, and an answer, also when the code below fails."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cortex_api import problems
from cortex_api.logs import get_logger

_log = get_logger("cortex_api.access")
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
REQUEST_ID_HEADER = "X-Request-Id"


class Access:
    """Outermost ASGI layer. Puts `request_id` into the request's state; handlers may add `rows` for the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0
        finished = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, finished
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)
            finished = message["type"] == "http.response.body" and not message.get("more_body", False)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception as error:
                # The answer says nothing of the inside; the log has it, under the same id.
                _log.exception("request.failed", error=type(error).__name__)
                if not status:
                    await internal_error(scope["path"], request_id)(scope, receive, send_with_id)
                elif not finished:
                    raise  # half an answer is out: only closing the connection tells the caller
            finally:
                self._say(scope, state, status, started)

    def _say(self, scope: Scope, state: dict[str, Any], status: int, started: float) -> None:
        route = scope.get("route")
        principal = state.get("principal")
        fields: dict[str, Any] = {
            "method": scope["method"],
            "route": getattr(route, "path", None) or scope["path"],
            "status": status,
            "ms": round((time.perf_counter() - started) * 1_000, 1),
            "principal": principal.name if principal else None,
        }
        if "rows" in state:
            fields["rows"] = state["rows"]
        # probes come every few seconds; what they would report is logged where it happens
        level = "debug" if scope["path"] == "/healthz" else "info"
        getattr(_log, level)("request", **fields)


def internal_error(path: str, request_id: str) -> Response:
    """The answer when the fault is ours: nothing of the inside, and where to find it."""
    detail = f"the API failed to answer; its log has the cause under request id {request_id}"
    return problems.response(problems.Problem(500, "internal-error", detail), path, request_id)


def _request_id(scope: Scope) -> str:
    """The caller's id if it is harmless, else a new one of 16 hex digits."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            if _ACCEPTABLE_ID.fullmatch(given):
                return given
    return secrets.token_hex(8)
