"""What a request must pass before it may cost anything: the gateway's word, phase, free places, and bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cortex_api import problems
from cortex_api.auth import Gateway
from cortex_api.phase import Phase, PhaseHolder
from cortex_api.problems import Problem

# The documentation page holds no data, and health must answer a probe that has no credential.
OPEN_PATHS = frozenset({"/healthz", "/docs", "/openapi.json"})
_OPEN_FOLDER = "/docs/"
STREAM_SUFFIX = "/documents/stream"
# Bodies that may be in memory together, as a multiple of the largest single one.
BODIES_IN_FLIGHT = 2
_RETRY_AFTER = {"Retry-After": "1"}
# How often a request that waits looks whether the store is open.
_LOOK_S = 0.02


@dataclass(slots=True)
class Load:
    """What is being served right now."""

    max_requests: int
    max_body_bytes: int
    requests: int = 0
    body_bytes: int = 0
    rejected: int = 0

    @property
    def max_total_body_bytes(self) -> int:
        """Bytes of all bodies together."""
        return BODIES_IN_FLIGHT * self.max_body_bytes


class Admission:
    """ASGI layer: rejects before the body is read, and counts the body while it is read (also a chunked one)."""

    def __init__(
        self, app: ASGIApp, gateway: Gateway, phase: PhaseHolder, load: Load, *, waits_until_s: float = 0.0
    ) -> None:
        """Before `waits_until_s` (of the monotonic clock) requests wait for the store to be open."""
        self._app = app
        self._gateway = gateway
        self._phase = phase
        self._load = load
        self._waits_until_s = waits_until_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http" or _is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        load = self._load
        reserved = 0
        entered = False

        def reserve(count: int) -> None:
            nonlocal reserved
            if reserved + count > load.max_body_bytes:
                raise too_large(load.max_body_bytes)
            if load.body_bytes + count > load.max_total_body_bytes:
                load.rejected += 1
                raise Problem(
                    429,
                    "busy",
                    f"requests with more than {load.max_total_body_bytes} bytes together are being read; "
                    "send again after a second, or smaller batches",
                    headers=_RETRY_AFTER,
                )
            reserved += count
            load.body_bytes += count

        try:
            headers = Headers(scope=scope)
            scope["state"]["principal"] = self._gateway.principal(headers)
            await self._opened()
            self._require_ready()
            self._enter()
            entered = True
            # A streamed upload holds one chunk at a time and limits that itself.
            streamed = scope["path"].endswith(STREAM_SUFFIX)
            if not streamed:
                declared = _declared_bytes(headers)
                reserve(declared)
                receive = _counting(receive, declared, reserve)
            await self._app(scope, receive, send)
        except Problem as problem:
            answer = problems.response(problem, scope["path"], scope["state"]["request_id"])
            await answer(scope, receive, send)
        finally:
            load.body_bytes -= reserved
            load.requests -= entered

    async def _opened(self) -> None:
        # Behind a gateway that waits for a server that restarts, an answer that it is starting would be a failure.
        while self._phase.current is Phase.STARTING and time.monotonic() < self._waits_until_s:
            await asyncio.sleep(_LOOK_S)

    def _enter(self) -> None:
        load = self._load
        if load.requests >= load.max_requests:
            load.rejected += 1
            detail = f"{load.max_requests} requests are being served (CORTEX_MAX_CONCURRENT_REQUESTS)"
            raise Problem(429, "busy", f"{detail}; send again after a second", headers=_RETRY_AFTER)
        load.requests += 1

    def _require_ready(self) -> None:
        phase = self._phase.current
        if phase in {Phase.OK, Phase.LINGERING}:
            return
        if phase is Phase.STOPPING:
            headers = {"Retry-After": "5", "Connection": "close"}
            raise Problem(503, "stopping", "the API is stopping; send again after its restart", headers=headers)
        raise Problem(503, "starting", "the API is opening its store", headers={"Retry-After": "2"})


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(_OPEN_FOLDER)


def too_large(limit_bytes: int) -> Problem:
    """413 for a body over the limit."""
    return Problem(
        413,
        "body-too-large",
        f"the body has more than {limit_bytes} bytes (CORTEX_MAX_BODY_BYTES); send smaller batches, or stream the "
        f"load as NDJSON to …{STREAM_SUFFIX}",
        headers={"Connection": "close"},
    )


def _declared_bytes(headers: Headers) -> int:
    text = headers.get("Content-Length", "0")
    return int(text) if text.isdigit() else 0


def _counting(receive: Receive, declared: int, reserve: Callable[[int], None]) -> Receive:
    """`receive` that reserves what comes beyond the declared length (a chunked body declares none)."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            before = max(seen, declared)
            seen += len(message.get("body", b""))
            if seen > before:
                reserve(seen - before)
        return message

    return counted
