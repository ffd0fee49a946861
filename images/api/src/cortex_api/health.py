"""`GET /healthz`: may requests be sent here, and does the store still work?"""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from cortex_api.canary import CanaryResult
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


class ChromaView(BaseModel):
    """The last answer of a remote store's server."""

    reached: bool
    age_s: float = Field(description="since the last look ended; since the start, before the first")
    took_ms: float
    error: str | None


class WarmingView(BaseModel):
    """How far the loading of the indexes is, in collections. Names are not told: health needs no credential."""

    done: int
    of: int


class HealthAnswer(BaseModel):
    """Health of the process."""

    status: str = Field(examples=["ok"], description="ok, starting, stopping or failing; 503 unless ok")
    canary: CanaryView | None = Field(description="of an embedded store; a remote one is written by its own guard")
    chroma: ChromaView | None = Field(description="of a remote store: whether its server is reached")
    warming: WarmingView | None = Field(description="while the indexes are loaded, before the first `ok`")
    disk_full: bool = Field(description="the store met a full disk since it was opened")


def judged(runtime: Runtime) -> tuple[int, dict[str, Any]]:
    """HTTP status and body. The age is for the reader to judge: a canary that hangs stops counting here."""
    last = runtime.canary.last if runtime.canary else None
    phase = runtime.phase.current
    status: str = Phase.STOPPING if phase is Phase.LINGERING else phase
    if phase is Phase.OK and (last is None or _failed(last, runtime)):
        status = "failing"
    warming, remote = runtime.warming, runtime.settings.is_remote
    age_s = round(time.monotonic() - (last.at_s if last else runtime.started_at_s), 3)
    body = {
        "status": status,
        "canary": None if remote else _canary(last, age_s),
        "chroma": _chroma(last, age_s, runtime.waiting_for) if remote else None,
        "warming": {"done": warming.done, "of": warming.of} if warming else None,
        "disk_full": runtime.disk_was_full,
    }
    return (200 if status == Phase.OK else 503), body


def _failed(last: CanaryResult, runtime: Runtime) -> bool:
    """Whether failures lasted too long. A remote store may be away for a while.

    Were health to fail at once, all replicas would be taken out together, and callers would get errors where they
    could have waited for a restart.
    """
    if last.ok or last.failing_since_s is None:
        return not last.ok
    tolerated_s = runtime.settings.chroma_away_s if runtime.settings.is_remote else 0.0
    return time.monotonic() - last.failing_since_s >= tolerated_s


def _canary(last: CanaryResult | None, age_s: float) -> dict[str, Any]:
    if last is None:
        return {"ok": False, "age_s": age_s, "write_ms": 0.0, "read_ms": 0.0, "error": "no canary yet"}
    return {
        "ok": last.ok,
        "age_s": age_s,
        "write_ms": last.write_ms,
        "read_ms": last.read_ms,
        "error": last.error,
    }


def _chroma(last: CanaryResult | None, age_s: float, waiting_for: str | None) -> dict[str, Any]:
    if last is None:
        return {"reached": False, "age_s": age_s, "took_ms": 0.0, "error": waiting_for or "not asked yet"}
    return {"reached": last.ok, "age_s": age_s, "took_ms": last.read_ms, "error": last.error}


@router.get("/healthz", response_model=HealthAnswer, responses={503: {"model": HealthAnswer}})
async def healthz(request: Request) -> Response:
    """Health; needs no credential."""
    status, body = judged(request.app.state.runtime)
    return JSONResponse(body, status)
