"""`GET /v1/status`: what runs here, how it was sized, and what it allows."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from cortex_api import answers, health
from cortex_api.access_rules import errors, needs, runtime_of
from cortex_api.auth import Role
from cortex_api.runtime import Runtime
from cortex_api.settings import Settings
from healthcheck import measure

router = APIRouter(tags=["status"])


class StatusAnswer(BaseModel):
    """The process and its store."""

    stack: str
    uptime_s: float
    versions: dict[str, str]
    model: dict[str, Any]
    memory: dict[str, int | str]
    store: dict[str, Any]
    limits: dict[str, int | float]
    load: dict[str, int]
    sizing: dict[str, Any]
    health: dict[str, Any]


@router.get("/v1/status", response_model=StatusAnswer, responses=errors(), dependencies=[needs(Role.READ)])
def status(runtime: Annotated[Runtime, Depends(runtime_of)]) -> Response:
    """Versions, model, store, limits, load and the sizing this stack was made with."""
    settings = runtime.settings
    facts = runtime.storage.facts()
    used = measure.memory()
    return answers.Json(
        {
            "stack": settings.stack,
            "uptime_s": round(time.monotonic() - runtime.started_at_s, 1),
            "versions": {
                "api": version("cortex-api"),
                "chroma": facts.engine_version,
                "onnxruntime": version("onnxruntime"),
                "python": platform.python_version(),
            },
            "model": _model(runtime),
            "memory": {"used_bytes": used.used_bytes, "limit_bytes": used.limit_bytes, "of": used.scope},
            "store": {
                "engine": facts.engine,
                "place": facts.place,
                "bytes": facts.bytes,
                "free_bytes": facts.free_bytes,
                "collections": facts.collections,
            },
            "limits": limits(settings, facts.max_batch_rows),
            "load": {
                "requests": runtime.load.requests,
                "body_bytes": runtime.load.body_bytes,
                "rejected": runtime.load.rejected,
            },
            "sizing": settings.sizing,
            "health": health.judged(runtime)[1],
        }
    )


def limits(settings: Settings, store_batch_rows: int) -> dict[str, int | float]:
    """What requests may ask for."""
    return {
        "body_bytes": settings.max_body_bytes,
        "request_rows": settings.max_request_rows,
        "batch_rows": min(settings.max_batch_rows, store_batch_rows),
        "text_chars": settings.max_text_chars,
        "page_rows": settings.max_page_rows,
        "k": settings.max_k,
        "queries": settings.max_queries,
        "concurrent_requests": settings.max_concurrent_requests,
        "collections": settings.max_collections,
    }


def _model(runtime: Runtime) -> dict[str, Any]:
    shown = answers.model(runtime.running_model)
    if shown is not None:
        return {**shown, "embeds_texts": True}
    return {
        "name": runtime.settings.model,
        "dimensions": runtime.settings.dimensions,
        "embeds_texts": False,
        "note": f"the weights of {runtime.settings.model} are not in this image: send own vectors",
    }
