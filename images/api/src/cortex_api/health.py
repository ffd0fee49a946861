"""`GET /healthz`: may requests be sent here, and does the store still work?"""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from cortex_api.phase import Phase
from cortex_api.runtime import Runtime

router = APIRouter(tags=["health"])


class CanaryView(BaseModel):
    """The last write and read through the store."""

    ok: bool
    age_s: float = Field(description="since it ended; since the start, before the first")
    write_ms: float
    read_ms: float
    error: str | None


class WarmingView(BaseModel):
    """How far the loading of the indexes is, in collections. Names are not told: health needs no token."""

    done: int
    of: int


class HealthAnswer(BaseModel):
    """Health of the process."""

    status: str = Field(examples=["ok"], description="ok, starting, stopping or failing; 503 unless ok")
    canary: CanaryView
    warming: WarmingView | None = Field(description="while the indexes are loaded, before the first `ok`")
    disk_full: bool = Field(description="the store met a full disk since it was opened")


def judged(runtime: Runtime) -> tuple[int, dict[str, Any]]:
    """HTTP status and body. The age is for the reader to judge: a canary that hangs stops counting here."""
    last = runtime.canary.last if runtime.canary else None
    since = last.at_s if last else runtime.started_at_s
    canary = {
        "ok": last.ok if last else False,
        "age_s": round(time.monotonic() - since, 3),
        "write_ms": last.write_ms if last else 0.0,
        "read_ms": last.read_ms if last else 0.0,
        "error": last.error if last else "no canary yet",
    }
    status: str = runtime.phase.current
    if runtime.phase.current is Phase.OK and not canary["ok"]:
        status = "failing"
    warming = runtime.warming
    body = {
        "status": status,
        "canary": canary,
        "warming": {"done": warming.done, "of": warming.of} if warming else None,
        "disk_full": runtime.disk_was_full,
    }
    return (200 if status == Phase.OK else 503), body


@router.get("/healthz", response_model=HealthAnswer, responses={503: {"model": HealthAnswer}})
async def healthz(request: Request) -> Response:
    """Health; needs no token."""
    status, body = judged(request.app.state.runtime)
    return JSONResponse(body, status)
