"""How a collection's facts are kept in its metadata, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cortex_api.model import ModelIdentity
from cortex_api.storage import RESERVED_PREFIX, CollectionSpec, Metadata

_DIMENSIONS = f"{RESERVED_PREFIX}dimensions"
_MODEL = f"{RESERVED_PREFIX}model"
_PRECISION = f"{RESERVED_PREFIX}precision"
_SHA256 = f"{RESERVED_PREFIX}model-sha256"
_WINDOW = f"{RESERVED_PREFIX}window-tokens"


def written(spec: CollectionSpec) -> Metadata:
    """Metadata of a new collection: the user's, and ours under reserved keys."""
    ours: Metadata = {_DIMENSIONS: spec.dimensions}
    if spec.model is not None:
        ours |= {
            _MODEL: spec.model.name,
            _PRECISION: spec.model.precision,
            _SHA256: spec.model.sha256,
            _WINDOW: spec.model.window_tokens,
        }
    return {**spec.metadata, **ours}


def user_metadata(metadata: Mapping[str, Any] | None) -> Metadata:
    """The user's part."""
    return {key: value for key, value in (metadata or {}).items() if not key.startswith(RESERVED_PREFIX)}


def dimensions_of(metadata: Mapping[str, Any] | None) -> int | None:
    """Dimensions that were set when the collection was made."""
    value = (metadata or {}).get(_DIMENSIONS)
    return int(value) if value is not None else None


def model_of(metadata: Mapping[str, Any] | None) -> ModelIdentity | None:
    """The model that embeds the collection's texts; None when vectors come from the caller."""
    kept = metadata or {}
    if _MODEL not in kept:
        return None
    return ModelIdentity(
        name=str(kept[_MODEL]),
        precision=str(kept.get(_PRECISION, "")),
        dimensions=int(kept.get(_DIMENSIONS, 0)),
        sha256=str(kept.get(_SHA256, "")),
        window_tokens=int(kept.get(_WINDOW, 0)),
    )
