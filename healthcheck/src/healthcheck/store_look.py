"""The store from outside: what a read-only connection and a look at the folders tell, at little cost.

Chroma has no index on its log, so counting in it reads all of it. It is read once, and from then on only what was
appended; the numbers of rows that are not in a saved index yet are kept until they are.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from store.log import is_kept, setting

from healthcheck.chroma_http import CANARY_DATABASE, IndexToLoad
from healthcheck.disk import allocated_bytes
from healthcheck.observation import StoreView
from healthcheck.write_lock import write_lock_holder

_BUSY_TIMEOUT_S = 2.0
_COLLECTIONS = """
SELECT collections.id, coalesce(collections.dimension, 0), databases.name, databases.tenant_id, vector.id, metadata.id,
       coalesce(max_seq_id.seq_id, -1)
FROM collections JOIN databases ON databases.id = collections.database_id
LEFT JOIN segments AS vector ON vector.collection = collections.id AND vector.scope = 'VECTOR'
LEFT JOIN segments AS metadata ON metadata.collection = collections.id AND metadata.scope = 'METADATA'
LEFT JOIN max_seq_id ON max_seq_id.segment_id = vector.id
"""
_APPENDED = "SELECT seq_id, substr(topic, -36) FROM embeddings_queue WHERE seq_id > ? ORDER BY seq_id"
_COUNTS = "SELECT substr(topic, -36), count(*), max(seq_id) FROM embeddings_queue GROUP BY 1"
# In SQL, because in Python a row takes ten times as long.
_UNSAVED = """
SELECT embeddings_queue.seq_id, segments.collection
FROM embeddings_queue JOIN segments ON segments.collection = substr(topic, -36) AND segments.scope = 'VECTOR'
LEFT JOIN max_seq_id ON max_seq_id.segment_id = segments.id
WHERE embeddings_queue.seq_id > coalesce(max_seq_id.seq_id, -1) ORDER BY embeddings_queue.seq_id
"""


@dataclass(frozen=True, slots=True)
class _Collection:
    id: str
    dimensions: int
    database: str
    tenant: str
    vector_segment: str
    metadata_segment: str
    saved_seq_id: int
    """The last number in the saved index; -1 before the first save."""


@dataclass(slots=True)
class _Topic:
    """What is known of one collection's rows in the log."""

    rows: int = 0
    unsaved: array[int] = field(default_factory=lambda: array("q"))
    """Their numbers, rising."""


class StoreLook:
    """Looks at one store, again and again. From any thread; one look after the other."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._topics: dict[str, _Topic] = {}
        self._newest: int | None = None
        """The last number of the log that was counted; None before the first look."""
        self._connection: sqlite3.Connection | None = None
        self._closed = threading.Event()
        self._forgetting = threading.Event()
        self._looking = threading.Lock()
        """Held while this process has the database open: closing one file of it drops the locks of all."""

    def forget(self) -> None:
        """Count anew at the next look: the log may have been changed while the server was stopped."""
        self._forgetting.set()

    def let_go(self, limit_s: float = 0.0) -> bool:
        """Break off a running look, and begin none until `take_up`.

        Args:
            limit_s: how long to wait for its end.

        Returns:
            Whether this process has the database closed.
        """
        self._closed.set()
        deadline_s = time.monotonic() + limit_s
        while not self._looking.acquire(timeout=0.01):
            connection = self._connection
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):  # it was closed in this moment
                    connection.interrupt()
            if time.monotonic() >= deadline_s:
                return False
        self._looking.release()
        return True

    def take_up(self) -> None:
        """Allow looks again."""
        self._closed.clear()

    def look(self) -> StoreView:
        """Count everything. The server runs: an unused WAL database could not be opened without writing.

        Raises:
            OSError: the store's folder cannot be read.
            sqlite3.Error: the database cannot be read, or `let_go` was called.
            StoreError: what the database says makes no sense.
        """
        start_s = time.monotonic()
        # The folders first: a segment is in the database before its folder is made.
        folders = {entry.name for entry in os.scandir(self._store) if _is_index_folder(entry)}
        with self._opened() as database:
            collections = _collections(database)
            segments = {str(name) for (name,) in database.execute("SELECT id FROM segments")}
            self._count_log(database, collections)
            counts = database.execute("SELECT segment_id, count(*) FROM embeddings GROUP BY 1")
            records: dict[str, int] = {str(segment): int(count) for segment, count in counts}
            log_kept = is_kept(setting(database))
        orphans = folders - segments
        users = [each for each in collections if each.database != CANARY_DATABASE]
        vectors = sum(records.get(each.metadata_segment, 0) for each in collections)
        log_rows = sum(topic.rows for topic in self._topics.values())
        now_s = time.monotonic()
        return StoreView(
            measured_at_s=now_s,
            collections=len(users),
            vectors=sum(records.get(each.metadata_segment, 0) for each in users),
            vector_bytes=sum(4 * each.dimensions * records.get(each.metadata_segment, 0) for each in users),
            log_rows=log_rows,
            superseded_rows=max(0, log_rows - vectors),
            lag_rows=max((len(topic.unsaved) for topic in self._topics.values()), default=0),
            orphans=len(orphans),
            orphan_bytes=sum(_folder_bytes(self._store / name) for name in orphans),
            log_kept=log_kept,
            wal_bytes=_size(self._store / "chroma.sqlite3-wal"),
            took_s=now_s - start_s,
        )

    def indexes(self) -> tuple[IndexToLoad, ...]:
        """What there is to load after a start, the canary's own left out.

        Raises:
            sqlite3.Error: the database cannot be read.
        """
        with self._opened() as database:
            return tuple(
                IndexToLoad(each.tenant, each.database, each.id, each.dimensions)
                for each in _collections(database)
                if each.dimensions and each.database != CANARY_DATABASE
            )

    def write_lock_holder(self) -> int | None:
        """The process that holds SQLite's write lock, as far as it can be told; see `write_lock`."""
        with self._looking:
            return write_lock_holder(self._store / "chroma.sqlite3")

    def _count_log(self, database: sqlite3.Connection, collections: list[_Collection]) -> None:
        if self._newest is None or self._forgetting.is_set():
            self._forgetting.clear()
            self._count_all(database)
        else:
            for seq_id, collection in database.execute(_APPENDED, (self._newest,)):
                topic = self._topics.setdefault(collection, _Topic())
                topic.rows += 1
                topic.unsaved.append(seq_id)
                self._newest = seq_id
        saved = {each.id: each.saved_seq_id for each in collections}
        # Deleting a collection deletes its rows.
        self._topics = {name: topic for name, topic in self._topics.items() if name in saved}
        for name, topic in self._topics.items():
            del topic.unsaved[: bisect_right(topic.unsaved, saved[name])]

    def _count_all(self, database: sqlite3.Connection) -> None:
        topics: dict[str, _Topic] = {}
        newest = 0
        for collection, rows, last in database.execute(_COUNTS):
            topics[collection] = _Topic(rows)
            newest = max(newest, last)
        for seq_id, collection in database.execute(_UNSAVED):
            topics[collection].unsaved.append(seq_id)
        self._topics, self._newest = topics, newest

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection in one transaction, so that all counts are of one moment."""
        uri = f"file:{quote(str(self._store / 'chroma.sqlite3'))}?mode=ro"
        with self._looking:
            if self._closed.is_set():
                raise sqlite3.OperationalError("the server does not run")
            database = sqlite3.connect(
                uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S, check_same_thread=False
            )
            try:
                self._connection = database
                database.execute("PRAGMA cache_size = -2048")
                database.execute("BEGIN")
                yield database
            finally:
                self._connection = None
                database.close()


def _collections(database: sqlite3.Connection) -> list[_Collection]:
    return [
        _Collection(str(identity), int(dimensions), str(name), str(tenant), str(vector), str(metadata), int(saved))
        for identity, dimensions, name, tenant, vector, metadata, saved in database.execute(_COLLECTIONS)
    ]


def _is_index_folder(entry: os.DirEntry[str]) -> bool:
    """Chroma names an index folder after its segment: 36 characters of a UUID."""
    return len(entry.name) == 36 and entry.name.count("-") == 4 and entry.is_dir(follow_symlinks=False)


def _folder_bytes(path: Path) -> int:
    try:
        return allocated_bytes(str(path))
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
