"""Collections in Chroma, embedded or remote: what the API asks for, in the words of Chroma's client and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from cortex_api import collection_record
from cortex_api.chroma_errors import translated
from cortex_api.model import Vectors
from cortex_api.storage import (
    Collection,
    CollectionExists,
    CollectionMissing,
    CollectionSpec,
    Include,
    Record,
    Rows,
    Selection,
    TooManyCollections,
)

# SQLite binds at most 32,766 values; deleting by id binds one per id.
_DELETE_IDS_AT_ONCE = 5_000


class ChromaCollections(ABC):
    """The part of `Storage` that is the same for both. Vectors are always given, never computed, by Chroma."""

    def __init__(self, client: Any, max_collections: int, check_writable: Callable[[], None]) -> None:
        """Over an open client.

        Args:
            client: chromadb's client, or what has the same methods for collections.
            max_collections: limit on create.
            check_writable: raises `NotWritable`; asked before each write of a caller, but not before a collection is
                deleted, which makes room.
        """
        self._client = client
        self._max_collections = max_collections
        self._check_writable = check_writable

    @abstractmethod
    def _reading(self) -> AbstractContextManager[None]:
        """Around calls that read; turns Chroma's errors into the storage's."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[None]:
        """Around calls that write."""

    def create_collection(self, spec: CollectionSpec) -> Collection:
        """Make a collection."""
        self._check_writable()
        with self._writing():
            if self._client.count_collections() >= self._max_collections:
                raise TooManyCollections(str(self._max_collections))
            if self._exists(spec.name):
                raise CollectionExists(spec.name)
            made = self._client.create_collection(
                spec.name,
                metadata=collection_record.written(spec),
                configuration={"hnsw": {"space": spec.space}},
                embedding_function=None,
            )
            return _described(made)

    def list_collections(self, limit: int, offset: int) -> tuple[list[Collection], int]:
        """One page, and how many there are."""
        with self._reading():
            # Chroma's own paging goes by random ids; there are too few to need it.
            everything = sorted(self._client.list_collections(), key=lambda each: str(each.name))
            return [_described(each) for each in everything[offset : offset + limit]], len(everything)

    def get_collection(self, name: str) -> Collection:
        """The collection."""
        with self._reading():
            return _described(self._handle(name))

    def delete_collection(self, name: str) -> None:
        """Remove the collection and all it holds."""
        with self._writing():
            self._handle(name)
            self._client.delete_collection(name)

    def count(self, name: str) -> int:
        """Records of the collection."""
        with self._reading():
            return int(self._handle(name).count())

    def upsert(self, name: str, rows: Rows) -> None:
        """Write one batch, all or nothing."""
        self._check_writable()
        has_text = any(text is not None for text in rows.texts)
        has_metadata = any(rows.metadatas)
        with self._writing():
            self._handle(name).upsert(
                ids=list(rows.ids),
                embeddings=rows.vectors,
                documents=list(rows.texts) if has_text else None,
                metadatas=[dict(each) if each else None for each in rows.metadatas] if has_metadata else None,
            )

    def get(self, name: str, selection: Selection, limit: int, offset: int, include: Include) -> list[Record]:
        """One page of the records selected."""
        with self._reading():
            answer = self._handle(name).get(
                **_selected(selection), limit=limit, offset=offset, include=_included(include)
            )
            return _records(answer, None)

    def delete(self, name: str, selection: Selection) -> int:
        """Remove what is selected; Chroma would count ids that are not there, so what is there is read first."""
        self._check_writable()
        with self._writing():
            handle = self._handle(name)
            ids: list[str] = handle.get(**_selected(selection), include=[])["ids"]
            for start in range(0, len(ids), _DELETE_IDS_AT_ONCE):
                handle.delete(ids=ids[start : start + _DELETE_IDS_AT_ONCE])
            return len(ids)

    def query(self, name: str, vectors: Vectors, k: int, selection: Selection, include: Include) -> list[list[Record]]:
        """Per vector its `k` nearest records."""
        with self._reading():
            wanted = [*_included(include), *(["distances"] if include.distances else [])]
            answer = self._handle(name).query(
                query_embeddings=vectors, n_results=k, **_selected(selection), include=wanted
            )
            return [_records(answer, row) for row in range(len(vectors))]

    def _handle(self, name: str) -> Any:
        return self._client.get_collection(name, embedding_function=None)

    def _exists(self, name: str) -> bool:
        try:
            self._handle(name)
        except Exception as error:
            if isinstance(error, CollectionMissing) or isinstance(translated(error), CollectionMissing):
                return False
            raise
        return True


def _described(handle: Any) -> Collection:
    return Collection(
        id=str(handle.id),
        name=handle.name,
        dimensions=collection_record.dimensions_of(handle.metadata) or handle._model.dimension,
        space=handle.configuration_json["hnsw"]["space"],
        model=collection_record.model_of(handle.metadata),
        metadata=collection_record.user_metadata(handle.metadata),
    )


def _selected(selection: Selection) -> dict[str, Any]:
    chosen: Mapping[str, Any] = {
        "ids": None if selection.ids is None else list(selection.ids),
        "where": selection.where,
        "where_document": selection.where_document,
    }
    return {key: value for key, value in chosen.items() if value is not None}


def _included(include: Include) -> list[str]:
    wanted = {"documents": include.texts, "metadatas": include.metadatas, "embeddings": include.vectors}
    return [name for name, yes in wanted.items() if yes]


def _records(answer: Any, row: int | None) -> list[Record]:
    """Records of one get (`row` None) or of one query's row."""

    def column(name: str) -> Any:
        values = answer.get(name)
        return values if values is None or row is None else values[row]

    ids, texts, metadatas = column("ids"), column("documents"), column("metadatas")
    vectors, distances = column("embeddings"), column("distances")
    return [
        Record(
            id=each,
            text=None if texts is None else texts[index],
            metadata=None if metadatas is None else dict(metadatas[index] or {}),
            vector=None if vectors is None else np.asarray(vectors[index], dtype=np.float32),
            distance=None if distances is None else float(distances[index]),
        )
        for index, each in enumerate(ids)
    ]
