"""The embedding models known by name, and what sizing needs to know of each."""

from __future__ import annotations

from dataclasses import dataclass

CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A text embedding model.

    Attributes:
        name: The name that settings and collections use.
        dimensions: Length of one vector; 0 for `custom`, where the settings give it.
        runs_locally: Whether the API image holds its weights. Without them the API takes ready-made vectors only.
    """

    name: str
    dimensions: int
    runs_locally: bool = False


KNOWN = {
    model.name: model
    for model in (
        EmbeddingModel("all-MiniLM-L6-v2", 384, runs_locally=True),
        EmbeddingModel("all-mpnet-base-v2", 768),
        EmbeddingModel("text-embedding-3-small", 1536),
        EmbeddingModel(CUSTOM, 0),
    )
}
DEFAULT = "all-MiniLM-L6-v2"
