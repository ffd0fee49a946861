"""Writing documents: embed what has no vector, split into batches, write each batch whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cortex_api import checks
from cortex_api.model import Embedder
from cortex_api.problems import Problem, Wrong, invalid
from cortex_api.schemas import Document
from cortex_api.settings import Settings
from cortex_api.storage import Collection, Rows, Storage, StorageError


@dataclass(frozen=True, slots=True)
class Written:
    """Rows written, and ids of those whose text did not fit the model's window."""

    rows: int
    truncated: tuple[str, ...]


class PartlyWritten(StorageError):  # noqa: N818 -- named after the state
    """A batch failed after earlier ones were written. `__cause__` says why."""

    def __init__(self, committed_rows: int) -> None:
        super().__init__(f"{committed_rows} rows were written before")
        self.committed_rows = committed_rows


class Indexer:
    """Turns documents into rows of the store."""

    def __init__(self, storage: Storage, embedder: Embedder | None, settings: Settings) -> None:
        self._storage = storage
        self._embedder = embedder
        self._settings = settings

    @property
    def batch_rows(self) -> int:
        """Rows that are written at once."""
        return min(self._settings.max_batch_rows, self._storage.max_batch_rows)

    def writable(self, name: str) -> Collection:
        """The collection, if the running model may write to it."""
        collection = self._storage.get_collection(name)
        checks.require_model(collection, self._embedder.identity if self._embedder else None)
        return collection

    def refuse_overlong(self, documents: Sequence[Document]) -> None:
        """422 with every text that does not fit the window."""
        embedded = [index for index, row in enumerate(documents) if row.vector is None]
        if not embedded or self._embedder is None:
            return
        window = self._embedder.identity.window_tokens
        overlong = self._embedder.overlong([documents[index].text or "" for index in embedded])
        if overlong:
            raise invalid(
                [
                    Wrong(
                        f"body.documents[{embedded[each]}].text", f"has more tokens than the model's window, {window}"
                    )
                    for each in overlong
                ]
            )

    def write(self, collection: Collection, documents: Sequence[Document]) -> Written:
        """Write checked documents, batch by batch.

        Raises:
            PartlyWritten: a later batch failed; writing all again is safe.
            StorageError: the first batch failed, nothing was written.
        """
        truncated: list[str] = []
        for start in range(0, len(documents), self.batch_rows):
            batch = documents[start : start + self.batch_rows]
            try:
                rows, overlong = self._rows(collection, batch)
                self._storage.upsert(collection.name, rows)
            except StorageError as error:
                if start:
                    raise PartlyWritten(start) from error
                raise
            truncated += [batch[index].id for index in overlong]
        return Written(len(documents), tuple(truncated))

    def _rows(self, collection: Collection, batch: Sequence[Document]) -> tuple[Rows, list[int]]:
        to_embed = [index for index, row in enumerate(batch) if row.vector is None]
        overlong: list[int] = []
        if not to_embed:
            vectors = checks.as_vectors([row.vector or () for row in batch])
        else:
            if self._embedder is None:
                raise Problem(409, "no-model", f"{collection.name!r} needs a model and this API runs none")
            embedded = self._embedder.embed([batch[index].text or "" for index in to_embed])
            overlong = [to_embed[each] for each in embedded.overlong]
            vectors = np.empty((len(batch), embedded.vectors.shape[1]), dtype=np.float32)
            vectors[to_embed] = embedded.vectors
            for index, row in enumerate(batch):
                if row.vector is not None:
                    vectors[index] = row.vector
        rows = Rows([row.id for row in batch], vectors, [row.text for row in batch], [row.metadata for row in batch])
        return rows, overlong
