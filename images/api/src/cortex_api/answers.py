"""Answers as JSON, fast: records with vectors are large."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from cortex_api.checks import usable
from cortex_api.model import ModelIdentity
from cortex_api.storage import Collection, Include, Record


class Json(Response):
    """JSON of plain values and numpy arrays."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Bytes of the body."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def record(each: Record, include: Include) -> dict[str, Any]:
    """A record with what was asked for."""
    shown: dict[str, Any] = {"id": each.id}
    if include.distances and each.distance is not None:
        shown["distance"] = each.distance
    if include.texts:
        shown["text"] = each.text
    if include.metadatas:
        shown["metadata"] = each.metadata
    if include.vectors:
        shown["vector"] = each.vector
    return shown


def collection(each: Collection, running: ModelIdentity | None) -> dict[str, Any]:
    """A collection as users see it."""
    return {
        "id": each.id,
        "name": each.name,
        "space": each.space,
        "embedding": "model" if each.model else "own",
        "dimensions": each.dimensions,
        "model": model(each.model),
        "usable": usable(each, running),
        "metadata": each.metadata,
    }


def model(identity: ModelIdentity | None) -> dict[str, Any] | None:
    """A model as users see it."""
    if identity is None:
        return None
    return {name: getattr(identity, name) for name in ("name", "precision", "sha256", "dimensions", "window_tokens")}
