"""What a model is to the rest of the API: an identity, and texts to vectors. Light to import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class ModelError(RuntimeError):
    """The model's folder cannot be used: something is missing, or is not what the manifest says."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What makes vectors comparable. Recorded with every collection that the model embeds."""

    name: str
    precision: str
    dimensions: int
    sha256: str
    window_tokens: int

    def __str__(self) -> str:
        """Short form for messages."""
        return f"{self.name} ({self.precision}, sha256 {self.sha256[:12]})"


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of a batch, float32 [texts, dimensions], unit length; and which texts were longer than the window."""

    vectors: Vectors
    overlong: tuple[int, ...]


class Embedder(Protocol):
    """What the API needs from a model."""

    @property
    def identity(self) -> ModelIdentity:
        """The model in use."""

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Vectors of `texts`, in order."""

    def overlong(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Indices of texts that do not fit the model's window."""
