"""Searching a collection by texts or vectors."""

from __future__ import annotations

from dataclasses import dataclass

from cortex_api import checks
from cortex_api.model import Embedder
from cortex_api.problems import Problem, Wrong, invalid
from cortex_api.schemas import IncludeName, Query
from cortex_api.settings import Settings
from cortex_api.storage import Include, Record, Selection, Storage


@dataclass(frozen=True, slots=True)
class Found:
    """Matches per query, and indices of texts that did not fit the model's window."""

    matches: list[list[Record]]
    truncated: tuple[int, ...]


def included(names: list[IncludeName]) -> Include:
    """What to read, from the request's words."""
    return Include("text" in names, "metadata" in names, "vector" in names, "distance" in names)


def search(name: str, asked: Query, storage: Storage, embedder: Embedder | None, settings: Settings) -> Found:
    """Answer a query.

    Raises:
        Problem: the request does not fit the stack's limits, the collection or the running model.
    """
    collection = storage.get_collection(name)
    checks.require_model(collection, embedder.identity if embedder else None)
    checks.require(checks.query(asked, collection, settings))
    truncated: tuple[int, ...] = ()
    if asked.texts is None:
        vectors = checks.as_vectors(asked.vectors or ())
    else:
        if embedder is None:
            raise Problem(409, "no-model", f"{name!r} needs a model and this API runs none")
        embedded = embedder.embed(asked.texts)
        vectors, truncated = embedded.vectors, embedded.overlong
        if truncated and asked.on_overlong == "reject":
            window = embedder.identity.window_tokens
            reason = f"has more tokens than the model's window, {window}"
            raise invalid([Wrong(f"body.texts[{index}]", reason) for index in truncated])
    selection = Selection(asked.ids, asked.where, asked.where_document)
    return Found(storage.query(name, vectors, asked.k, selection, included(asked.include)), truncated)
