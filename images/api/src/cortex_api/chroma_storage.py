"""The store embedded in this process: Chroma over a folder, with vectors always given, never computed, by Chroma."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cortex_api import chroma_library, collection_record
from cortex_api.calls import Calls
from cortex_api.chroma_errors import translated
from cortex_api.logs import get_logger
from cortex_api.model import Vectors
from cortex_api.storage import (
    Collection,
    CollectionExists,
    CollectionMissing,
    CollectionSpec,
    DiskFull,
    Include,
    IndexFailed,
    Record,
    Rows,
    Selection,
    StorageError,
    StoreFacts,
    TooManyCollections,
)

_log = get_logger(__name__)
# The canary lives in a database of its own, so it is in no list, no count and no limit.
CANARY_DATABASE = "cortex_internal"
CANARY_COLLECTION = "canary"
_CANARY_ID = "canary"
_TENANT = "default_tenant"
# SQLite binds at most 32,766 values; deleting by id binds one per id.
_DELETE_IDS_AT_ONCE = 5_000


class ChromaStorage:
    """`Storage` over chromadb.PersistentClient. The caller holds the writer lock and has prepared the store."""

    def __init__(self, path: Path, max_collections: int, check_writable: Callable[[], None] = lambda: None) -> None:
        """Open the store: about 0.1 s; indexes are loaded at their first use.

        Args:
            path: folder with chroma.sqlite3.
            max_collections: hard limit on create; the canary's is not counted.
            check_writable: raises `NotWritable`; asked before each write of a caller, but not of the canary, and not
                before a collection is deleted, which makes room.
        """
        library = chroma_library.chroma()
        self._path = path
        self._max_collections = max_collections
        self._version: str = library.__version__
        self._calls = Calls()
        self._check_writable = check_writable
        self._full: DiskFull | None = None
        self._index_failure: IndexFailed | None = None
        self._client = library.PersistentClient(path=str(path), settings=chroma_library.settings())
        self._max_batch_rows = int(self._client.get_max_batch_size())
        self._canary = self._open_canary(library)

    @property
    def max_batch_rows(self) -> int:
        """Rows that one `upsert` takes (5461: SQLite's 32,766 variables, 6 per row)."""
        return self._max_batch_rows

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

    def canary(self, value: float) -> tuple[float, float]:
        """Write `value` as a vector, read it back and search for it.

        Raises:
            StorageError: the store did not take it, or gave something else back; or the disk was full or an index
                failed once, from which Chroma does not recover while it runs, whatever a small write says.
        """
        if self._full is not None:
            raise DiskFull(f"the disk was full; free space, then restart ({self._full})")
        if self._index_failure is not None:
            raise IndexFailed(f"an index failed; restart, so that it is checked ({self._index_failure})")
        written = np.array([[value, 1.0]], dtype=np.float32)
        with self._writing():
            started = time.perf_counter()
            self._canary.upsert(ids=[_CANARY_ID], embeddings=written)
            between = time.perf_counter()
            read = self._canary.get(ids=[_CANARY_ID], include=["embeddings"])["embeddings"]
            nearest = self._canary.query(query_embeddings=written, n_results=1, include=[])["ids"]
            ended = time.perf_counter()
        if nearest != [[_CANARY_ID]]:
            raise StorageError(f"the canary's vector is not its own neighbour: a search found {nearest}")
        if not np.array_equal(np.asarray(read, dtype=np.float32), written):
            raise StorageError(
                f"the canary's vector read back as {np.asarray(read).tolist()}, written {written.tolist()}"
            )
        return between - started, ended - between

    @property
    def disk_was_full(self) -> bool:
        """Whether a call met a full disk since the store was opened."""
        return self._full is not None

    def warm_up(self, progress: Callable[[str, int, int], None]) -> None:
        """Load every index by a search in it; what the log has beyond an index is applied at that moment.

        An index that fails is noted, so that the canary fails from then on; the others are loaded all the same.
        """
        with self._reading():
            handles = self._client.list_collections()
        for done, handle in enumerate(handles):
            progress(str(handle.name), done, len(handles))
            dimensions = handle._model.dimension
            if dimensions is None:  # never written: there is no index
                continue
            try:
                with self._reading():
                    handle.query(query_embeddings=np.ones((1, dimensions), np.float32), n_results=1, include=[])
            except CollectionMissing:
                continue
            except IndexFailed:
                _log.exception("warm-up.failed", collection=str(handle.name))
        progress("", len(handles), len(handles))

    def facts(self) -> StoreFacts:
        """The store from outside. Files are only looked at: opening SQLite's would drop this process's locks."""
        with self._reading():
            return StoreFacts(
                engine="chromadb, embedded",
                engine_version=self._version,
                path=str(self._path),
                bytes=_tree_bytes(self._path),
                free_bytes=shutil.disk_usage(self._path).free,
                collections=int(self._client.count_collections()),
                max_batch_rows=self._max_batch_rows,
            )

    def close(self, timeout_s: float) -> bool:
        """Let running calls end, then close SQLite. If some do not end the kernel closes it: the log has all."""
        if not self._calls.drain(timeout_s):
            return False
        self._canary_client.close()
        self._client.close()
        return True

    def _open_canary(self, library: Any) -> Any:
        # An AdminClient of our own has no close, and would keep SQLite open.
        admin = self._client._admin_client
        if CANARY_DATABASE not in {each["name"] for each in admin.list_databases(tenant=_TENANT)}:
            admin.create_database(CANARY_DATABASE, tenant=_TENANT)
        self._canary_client = library.PersistentClient(
            path=str(self._path), settings=chroma_library.settings(), database=CANARY_DATABASE
        )
        return self._canary_client.get_or_create_collection(CANARY_COLLECTION, embedding_function=None)

    def _handle(self, name: str) -> Any:
        return self._client.get_collection(name, embedding_function=None)

    def _exists(self, name: str) -> bool:
        try:
            self._handle(name)
        except Exception as error:
            if isinstance(translated(error), CollectionMissing):
                return False
            raise
        return True

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._calls.reading(), self._translating():
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._calls.writing(), self._translating():
            yield

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except Exception as error:
            meant = translated(error, shutil.disk_usage(self._path).free)
            if meant is None:
                raise
            if isinstance(meant, DiskFull):
                self._full = meant
            elif isinstance(meant, IndexFailed):
                self._index_failure = meant
            raise meant from error


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


def _tree_bytes(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118
            except OSError:  # Chroma removed it meanwhile
                continue
    return total
