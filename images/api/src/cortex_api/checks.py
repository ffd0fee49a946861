"""What a well-formed request may still get wrong: limits of this stack, and facts of the collection. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cortex_api.model import ModelIdentity, Vectors
from cortex_api.problems import Problem, Wrong, invalid
from cortex_api.schemas import Document, Query
from cortex_api.settings import Settings
from cortex_api.storage import Collection


def require(wrongs: Iterable[Wrong]) -> None:
    """Raise 422 with everything that is wrong, if anything is."""
    found = list(wrongs)
    if found:
        raise invalid(found)


def at_most(value: int, limit: int, where: str, what: str, variable: str) -> Iterable[Wrong]:
    """`value` may not exceed `limit`, which `variable` sets."""
    if value > limit:
        yield Wrong(where, f"{value} {what}, at most {limit} are possible ({variable})")


def documents(
    rows: Sequence[Document], collection: Collection, settings: Settings, where: str = "body.documents"
) -> Iterable[Wrong]:
    """Every row: something to index, right dimensions, text not too long, no id twice."""
    first_with: dict[str, int] = {}
    for index, row in enumerate(rows):
        here = f"{where}[{index}]"
        yield from document(row, collection, settings, here)
        first = first_with.setdefault(row.id, index)
        if first != index:
            yield Wrong(f"{here}.id", f"{row.id!r} is also the id of row {first}; an id may occur once in a request")


def document(row: Document, collection: Collection, settings: Settings, here: str) -> Iterable[Wrong]:
    """One row, without regard to the others."""
    if row.vector is not None:
        yield from vector(row.vector, collection.dimensions, f"{here}.vector")
    elif row.text is None:
        yield Wrong(here, "has neither text nor vector")
    elif not row.text.strip():
        yield Wrong(f"{here}.text", "is empty; there is nothing to embed")
    elif collection.model is None:
        yield Wrong(f"{here}.vector", f"is needed: {collection.name!r} takes own vectors, it has no model")
    yield from text_length(row.text or "", settings, f"{here}.text")


def text_length(text: str, settings: Settings, where: str) -> Iterable[Wrong]:
    """A text may not be longer than the stack allows."""
    yield from at_most(len(text), settings.max_text_chars, where, "characters", "CORTEX_MAX_TEXT_CHARS")


def vector(numbers: Sequence[float], dimensions: int | None, where: str) -> Iterable[Wrong]:
    """Right length, and finite also as 32-bit floats, which is how they are stored."""
    if dimensions is not None and len(numbers) != dimensions:
        yield Wrong(where, f"has {len(numbers)} numbers, the collection has {dimensions} dimensions")
    with np.errstate(over="ignore"):
        narrow = np.asarray(numbers, dtype=np.float32)
    if not np.isfinite(narrow).all():
        yield Wrong(where, f"number {int(np.argmin(np.isfinite(narrow)))} is not a finite 32-bit float")


def query(asked: Query, collection: Collection, settings: Settings) -> Iterable[Wrong]:
    """A search: exactly one of texts and vectors, within the limits."""
    if (asked.texts is None) == (asked.vectors is None):
        yield Wrong("body", "give either texts or vectors")
        return
    count = len(asked.texts or asked.vectors or ())
    yield from at_most(count, settings.max_queries, "body.texts", "queries", "CORTEX_MAX_QUERIES")
    yield from at_most(asked.k, settings.max_k, "body.k", "neighbours", "CORTEX_MAX_K")
    rows_limit, variable = (
        (settings.max_page_rows, "CORTEX_MAX_PAGE_ROWS")
        if "vector" in asked.include
        else (settings.max_request_rows, "CORTEX_MAX_REQUEST_ROWS")
    )
    yield from at_most(count * asked.k, rows_limit, "body.k", "records in all (queries x k)", variable)
    yield from at_most(len(asked.ids or ()), settings.max_request_rows, "body.ids", "ids", "CORTEX_MAX_REQUEST_ROWS")
    for index, numbers in enumerate(asked.vectors or ()):
        yield from vector(numbers, collection.dimensions, f"body.vectors[{index}]")
    for index, text in enumerate(asked.texts or ()):
        yield from text_length(text, settings, f"body.texts[{index}]")
    if asked.texts is not None and collection.model is None:
        yield Wrong("body.vectors", f"are needed: {collection.name!r} takes own vectors, it has no model")


def require_model(collection: Collection, running: ModelIdentity | None) -> None:
    """A collection is written and searched only with the model that made its vectors; else 409 naming both."""
    if not usable(collection, running):
        here = f"runs {running}" if running else "runs no model"
        raise Problem(
            409,
            "model-mismatch",
            f"the vectors of {collection.name!r} were made with {collection.model}, this API {here}: distances would "
            "mean nothing. Run the API with that model, or copy the texts (…/documents/get) into a new collection",
            extra={
                "collection_model": str(collection.model),
                "running_model": str(running) if running else None,
            },
        )


def usable(collection: Collection, running: ModelIdentity | None) -> bool:
    """Whether vectors of the collection and of the running model may be compared."""
    return collection.model is None or (running is not None and running.sha256 == collection.model.sha256)


def as_vectors(rows: Sequence[Sequence[float]]) -> Vectors:
    """Float32 [rows, dimensions]."""
    return np.asarray(rows, dtype=np.float32)
