"""The store embedded in this process: Chroma over a folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cortex_api import chroma_library
from cortex_api.calls import Calls
from cortex_api.chroma_collections import ChromaCollections
from cortex_api.chroma_errors import translated
from cortex_api.logs import get_logger
from cortex_api.storage import CollectionMissing, DiskFull, IndexFailed, StorageError, StoreFacts

_log = get_logger(__name__)
# The canary lives in a database of its own, so it is in no list, no count and no limit.
CANARY_DATABASE = "cortex_internal"
CANARY_COLLECTION = "canary"
_CANARY_ID = "canary"
_TENANT = "default_tenant"


class EmbeddedStorage(ChromaCollections):
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
        self._version: str = library.__version__
        self._calls = Calls()
        self._full: DiskFull | None = None
        self._index_failure: IndexFailed | None = None
        client = library.PersistentClient(path=str(path), settings=chroma_library.settings())
        super().__init__(client, max_collections, check_writable)
        self._max_batch_rows = int(self._client.get_max_batch_size())
        self._canary = self._open_canary(library)

    @property
    def max_batch_rows(self) -> int:
        """Rows that one `upsert` takes (5461: SQLite's 32,766 variables, 6 per row)."""
        return self._max_batch_rows

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
                place=str(self._path),
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


def _tree_bytes(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118
            except OSError:  # Chroma removed it meanwhile
                continue
    return total
