"""What is in a store: collections, sizes, numbers, what is left over. Reads little, beside a running server too."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from store import catalog, index, log, schema
from store.database import check_file, database_path, opened_to_read
from store.preparation import condition

_LOG = """
SELECT substr(topic, -36), count(*), max(seq_id), count(*) FILTER (WHERE seq_id > coalesce(
    (SELECT max_seq_id.seq_id FROM segments JOIN max_seq_id ON max_seq_id.segment_id = segments.id
     WHERE segments.collection = substr(topic, -36) AND segments.scope = 'VECTOR'), 0))
FROM embeddings_queue GROUP BY topic
"""


@dataclass(frozen=True, slots=True)
class CollectionView:
    """One collection. Numbers ending in `_seq` are rows of the log (`seq_id`)."""

    id: str
    name: str
    tenant: str
    database: str
    dimensions: int | None
    space: str
    records: int
    vector_segment: str
    metadata_segment: str
    log_rows: int
    log_seq: int | None
    """Its newest row of the log."""
    vector_seq: int | None
    """Last row in the saved index; None when none was ever saved."""
    metadata_seq: int | None
    lag_rows: int
    """Rows of the log after the saved index: applied in memory, and again at the next start."""
    superseded_rows: int
    """Rows that a compaction would drop, estimated: those which the index has, less one per record."""
    index_bytes: int
    """On disk; 0 without a folder."""
    index_elements: int | None
    """Tombstones included; None without a readable header."""
    index_tombstones: int | None
    """Elements that belong to no record, estimated: elements less records, as of the last save."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """An index folder that belongs to no collection: Chroma leaves it behind when a collection is deleted."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in a store."""

    path: Path
    chroma_version: str
    """The version whose schema the store has."""
    log_kept: bool
    journal_mode: str
    marked: bool
    """Whether the store was prepared."""
    sqlite_bytes: int
    wal_bytes: int
    log_rows: int
    superseded_rows: int
    vectors: int
    """Records of all collections."""
    collections: tuple[CollectionView, ...]
    orphans: tuple[Orphan, ...]

    @property
    def lag_rows(self) -> int:
        """Rows of the log after the saved indexes, over all collections."""
        return sum(view.lag_rows for view in self.collections)

    @property
    def of_users(self) -> tuple[CollectionView, ...]:
        """The collections without those of the canaries."""
        return tuple(view for view in self.collections if view.database != catalog.INTERNAL_DATABASE)

    @property
    def orphan_bytes(self) -> int:
        """What the orphans take on disk."""
        return sum(orphan.bytes for orphan in self.orphans)


def inspect(path: Path) -> Inspection:
    """Look at a store. The server may run; one pass over the log, none over the indexes.

    Raises:
        StoreError: it is no store of Chroma 1.5.9, or cannot be read.
    """
    path = Path(path)
    check_file(path)
    folders = catalog.index_folders(path)  # before SQLite: a new collection's row is there before its folder
    with opened_to_read(path) as database:
        schema.check(database)
        found = condition(database)
        setting_known = log.is_kept(log.setting(database))
        database.execute("BEGIN")
        logged = {str(id_): (rows, newest, lag) for id_, rows, newest, lag in database.execute(_LOG)}
        views = tuple(_view(path, database, each, logged) for each in catalog.collections(database))
        known = catalog.segment_ids(database)
        database.execute("COMMIT")
    return Inspection(
        path=path,
        chroma_version=schema.CHROMA_VERSION,
        log_kept=setting_known,
        journal_mode=found.journal_mode,
        marked=found.marked,
        sqlite_bytes=database_path(path).stat().st_size,
        wal_bytes=_size(database_path(path).with_name(database_path(path).name + "-wal")),
        log_rows=sum(rows for rows, _, _ in logged.values()),
        superseded_rows=sum(view.superseded_rows for view in views),
        vectors=sum(view.records for view in views),
        collections=views,
        orphans=tuple(Orphan(name, index.size_bytes(path / name)) for name in sorted(folders - known)),
    )


def _view(
    path: Path, database: sqlite3.Connection, each: catalog.Collection, logged: dict[str, tuple[int, int, int]]
) -> CollectionView:
    (records,) = database.execute(
        "SELECT count(*) FROM embeddings WHERE segment_id = ?", (each.metadata_segment,)
    ).fetchone()
    rows, newest, lag = logged.get(each.id, (0, None, 0))
    folder = path / each.vector_segment
    elements = _elements(folder) if each.vector_segment and each.vector_seq is not None else None
    return CollectionView(
        id=each.id,
        name=each.name,
        tenant=each.tenant,
        database=each.database,
        dimensions=each.dimensions,
        space=each.space,
        records=records,
        vector_segment=each.vector_segment,
        metadata_segment=each.metadata_segment,
        log_rows=rows,
        log_seq=newest,
        vector_seq=each.vector_seq,
        metadata_seq=each.metadata_seq,
        lag_rows=lag,
        superseded_rows=max(0, rows - lag - records),
        index_bytes=index.size_bytes(folder) if each.vector_segment else 0,
        index_elements=elements,
        index_tombstones=None if elements is None else max(0, elements - records),
    )


def _elements(folder: Path) -> int | None:
    try:
        return index.read_header(folder).elements
    except (index.IndexTorn, OSError):
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
