"""Finding and dropping superseded rows in a log of any length, with memory for one part of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from store.progress import Progress
from store.supersession import Changes, Operation, Row, changes

_CHUNK_ROWS = 10_000
_BATCH_CHANGES = 5_000
"""In one transaction: about 25 MB of WAL at 384 dimensions, given back before the next."""

# Sorted once, by SQLite, on disk: the log has no index on (topic, id), and an index made here would stay after a crash.
_MAKE_KEYS = """
CREATE TEMP TABLE log_keys AS
SELECT substr(topic, -36) AS collection, id, seq_id, operation, vector IS NOT NULL AS has_vector,
       coalesce(metadata, '{}') <> '{}' AS has_metadata,
       coalesce(length(vector), 0) + coalesce(length(CAST(metadata AS BLOB)), 0) + length(id) + length(topic) AS bytes
FROM embeddings_queue ORDER BY 1, 2, 3
"""
_READ_KEYS = "SELECT rowid, * FROM log_keys WHERE rowid > ? ORDER BY rowid LIMIT ?"
_READ_METADATA = "SELECT metadata FROM embeddings_queue WHERE seq_id = ?"
_DROP = "DELETE FROM embeddings_queue WHERE seq_id = ?"
_REWRITE = "UPDATE embeddings_queue SET operation = ?, metadata = coalesce(?, metadata) WHERE seq_id = ?"

_Key = tuple[int, str, str, int, int, int, int, int]
"""Row of `log_keys`: place, collection, id, seq_id, operation, has_vector, has_metadata, bytes."""
_WHOLE = frozenset({Operation.ADD, Operation.UPSERT})


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes to whole ids; each batch leaves a right log behind."""

    dropped: tuple[int, ...]
    rewritten: tuple[tuple[int, str | None, int], ...]
    """Operation, metadata (None: as it is), seq_id."""
    dropped_bytes: int


class SupersededRows:
    """The superseded rows of one log, found batch by batch. The server is stopped, nobody else writes."""

    def __init__(self, database: sqlite3.Connection, settled: Mapping[str, int], progress: Progress) -> None:
        """Sort the log's keys (a temporary table: gone with the connection).

        Args:
            database: connection in autocommit mode.
            settled: per collection the last row that may be touched; collections not named are left alone.
            progress: told of the rows looked at.
        """
        self._database = database
        self._settled = settled
        self._progress = progress
        progress("sorting the log", 0, 0)
        database.execute(_MAKE_KEYS)
        (self.rows,) = database.execute("SELECT count(*) FROM log_keys").fetchone()
        self._newest = dict(
            database.execute("SELECT collection, max(seq_id) FROM log_keys GROUP BY collection").fetchall()
        )

    def batches(self) -> Iterator[Batch]:
        """What is to be done, in an order in which one may stop after any batch."""
        dropped: list[int] = []
        rewritten: list[tuple[int, str | None, int]] = []
        dropped_bytes = 0
        for keys in self._ids():
            found = self._changes(keys)
            sizes = {key[3]: key[7] for key in keys}
            dropped += found.dropped
            dropped_bytes += sum(sizes[seq_id] for seq_id in found.dropped)
            rewritten += [(int(each.operation), each.metadata, each.seq_id) for each in found.rewritten]
            if len(dropped) + len(rewritten) >= _BATCH_CHANGES:
                yield Batch(tuple(dropped), tuple(rewritten), dropped_bytes)
                dropped, rewritten, dropped_bytes = [], [], 0
        if dropped or rewritten:
            yield Batch(tuple(dropped), tuple(rewritten), dropped_bytes)

    def apply(self, batch: Batch) -> None:
        """Do it, in one transaction; its WAL is given back."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(_REWRITE, batch.rewritten)
        self._database.executemany(_DROP, [(seq_id,) for seq_id in batch.dropped])
        self._database.execute("COMMIT")
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _ids(self) -> Iterator[list[_Key]]:
        """The rows of each id that has something to look at."""
        for _, group in groupby(self._keys(), key=lambda key: (key[1], key[2])):
            keys = list(group)
            if len(keys) > 1 or keys[0][4] not in _WHOLE:
                yield keys

    def _keys(self) -> Iterator[_Key]:
        place = 0
        while keys := self._database.execute(_READ_KEYS, (place, _CHUNK_ROWS)).fetchall():
            yield from keys
            place = keys[-1][0]
            self._progress("looking through the log", place, self.rows)

    def _changes(self, keys: list[_Key]) -> Changes:
        collection = keys[0][1]
        return changes(
            (Row(seq_id, operation, bool(vector), bool(said)) for _, _, _, seq_id, operation, vector, said, _ in keys),
            lambda seq_id: str(self._database.execute(_READ_METADATA, (seq_id,)).fetchone()[0]),
            settled=self._settled.get(collection, 0),
            newest=self._newest[collection],
        )
