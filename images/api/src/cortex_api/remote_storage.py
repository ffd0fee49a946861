"""The store behind a Chroma server. This process keeps nothing: any number of them may have the same server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cortex_api import chroma_library
from cortex_api.calls import Calls
from cortex_api.chroma_collections import ChromaCollections
from cortex_api.chroma_database import DATABASE, ChromaDatabase
from cortex_api.chroma_errors import translated
from cortex_api.chroma_transport import session
from cortex_api.storage import Collection, CollectionSpec, StorageError, StoreFacts


class RemoteStorage(ChromaCollections):
    """`Storage` over HTTP. The server's own guard prepares, watches and warms the store."""

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        max_collections: int,
        *,
        timeout_s: float = 60.0,
        connections: int = 20,
        database: str = DATABASE,
    ) -> None:
        """Reach the server and its database once.

        Args:
            url: of the server or of the door before it, as http://host:port.
            token: the credential that is sent with each request.
            max_collections: limit on create. Each process creates one at a time and counts before it: with N of them
                there can be N - 1 more for a moment of N creates, and what others create is not held back.
            timeout_s: longest wait for an answer.
            connections: that may be open together.
            database: in which the collections are.

        Raises:
            StorageError: it did not answer as it should.
        """
        self._http = session(token, timeout_s, connections)
        self._url = url
        self._version: str = chroma_library.chroma().__version__
        self._calls = Calls()
        self._creating = threading.Lock()
        server = ChromaDatabase(url, self._http, database)
        super().__init__(server, max_collections, check_writable=lambda: None)
        try:
            with self._reading():
                server.check()
                self._max_batch_rows = server.get_max_batch_size()
        except BaseException:
            self._http.close()
            raise

    @property
    def max_batch_rows(self) -> int:
        """Rows that one `upsert` takes, as the server says (5461)."""
        return self._max_batch_rows

    def create_collection(self, spec: CollectionSpec) -> Collection:
        """Make a collection; one at a time, so that the count before it holds within this process."""
        with self._creating:
            return super().create_collection(spec)

    def canary(self, value: float) -> tuple[float, float]:  # noqa: ARG002 -- the server's guard writes
        """Read the number of collections, which comes from the server's database; seconds of it."""
        started = time.perf_counter()
        with self._reading():
            self._client.count_collections()
        return 0.0, time.perf_counter() - started

    @property
    def disk_was_full(self) -> bool:
        """The server's guard knows."""
        return False

    def warm_up(self, progress: Callable[[str, int, int], None]) -> None:
        """Nothing: the server's guard does it."""

    def facts(self) -> StoreFacts:
        """The store from outside. The server does not say its version (it says 1.0.0 since 1.0.0), nor bytes."""
        with self._reading():
            return StoreFacts(
                engine="chromadb, remote",
                engine_version=self._version,
                place=self._url,
                bytes=None,
                free_bytes=None,
                collections=int(self._client.count_collections()),
                max_batch_rows=self._max_batch_rows,
            )

    def close(self, timeout_s: float) -> bool:
        """Let running calls end, then close the connections."""
        drained = self._calls.drain(timeout_s)
        if drained:
            self._http.close()
        return drained

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._calls.reading():
            try:
                yield
            except StorageError:
                raise
            except Exception as error:
                meant = translated(error)
                if meant is None:
                    raise
                raise meant from error

    # The server puts writes in a row, also those of other processes.
    _writing = _reading
