"""What a base holds, so that a restore can be compared with it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from store.database import opened_to_read
from store.schema import MIGRATIONS

import store
from backup.lineage import Position

VERSION = 1
_MODEL_KEY = "cortex:model"
"""In a collection's metadata, as the Cortex API writes it."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    """One collection. Numbers ending in `_seq` are rows of the log."""

    id: str
    name: str
    tenant: str
    database: str
    dimensions: int | None
    space: str
    model: str | None
    """None where vectors come from the callers."""
    records: int
    log_rows: int
    log_seq: int | None
    """Its newest row."""
    vector_seq: int | None
    """The last row in the saved index; None when the base has none."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file, below the store."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of it. Times are seconds of the epoch."""

    stack: str
    taken_s: float
    """When the copy began: every row acknowledged before is in it."""
    package_version: str
    chroma_version: str
    schema: dict[str, int]
    """Newest migration of each of Chroma's directories."""
    collections: tuple[CollectionEntry, ...]
    log_rows: int
    newest_row: int
    rows_to_apply: int
    """Log rows that Chroma applies to the indexes at their first use."""
    left_out: tuple[str, ...]
    """Collections whose index is not in it, to be made from the log."""
    files: tuple[FileEntry, ...]
    archive: Position | None
    """How far the archiver had read before the copy."""
    copy_s: float
    hash_s: float
    id: str = ""
    """Of the base; empty in the manifest that lies in the base itself."""
    save_s: float = 0.0
    added_bytes: int = 0
    verified_s: float | None = None
    """When a drill last restored it and found all of it."""
    verified_by: str = ""
    pinned: str = ""
    """Why it must not go; empty when it may."""
    lacking: bool = False
    """Whether data of it is gone: the last check found that."""

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def records(self) -> int:
        """Of all collections."""
        return sum(each.records for each in self.collections)

    def as_record(self) -> dict[str, Any]:
        """As JSON."""
        return {"version": VERSION, **asdict(self), "bytes": self.bytes, "records": self.records}


def from_record(record: dict[str, Any]) -> Manifest:
    """Read what `as_record` made.

    Raises:
        ValueError: it is none.
    """
    if record.get("version") != VERSION:
        raise ValueError(f"it has version {record.get('version')!r} of its format, this program reads {VERSION}")
    try:
        known = {name: record[name] for name in Manifest.__dataclass_fields__ if name in record}
        return Manifest(
            **{
                **known,
                "collections": tuple(CollectionEntry(**each) for each in known["collections"]),
                "files": tuple(FileEntry(**each) for each in known["files"]),
                "left_out": tuple(known["left_out"]),
                "archive": None if known["archive"] is None else Position(**known["archive"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"a part of it is missing or of another kind ({error})") from error


def collections_of(copy: Path) -> tuple[CollectionEntry, ...]:
    """The collections of a store that nobody writes.

    Raises:
        StoreError: it cannot be read.
    """
    found = store.inspect(copy)
    with opened_to_read(copy) as database:
        models = _models(database)
    return tuple(
        CollectionEntry(
            id=view.id,
            name=view.name,
            tenant=view.tenant,
            database=view.database,
            dimensions=view.dimensions,
            space=view.space,
            model=models.get(view.id),
            records=view.records,
            log_rows=view.log_rows,
            log_seq=view.log_seq,
            vector_seq=view.vector_seq,
        )
        for view in found.collections
    )


def files_of(copy: Path) -> tuple[FileEntry, ...]:
    """Every file below a folder, with its hash."""
    files = sorted(file for file in copy.rglob("*") if file.is_file())
    return tuple(FileEntry(str(file.relative_to(copy)), file.stat().st_size, sha256_of(file)) for file in files)


def sha256_of(file: Path) -> str:
    """The hash of a file's content."""
    hashed = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            hashed.update(chunk)
    return hashed.hexdigest()


def schema_version(migrations: Iterable[tuple[str, int, str]] = MIGRATIONS) -> dict[str, int]:
    """The newest migration of each directory."""
    newest: dict[str, int] = {}
    for directory, version, _ in migrations:
        newest[directory] = max(version, newest.get(directory, 0))
    return dict(sorted(newest.items()))


def _models(database: sqlite3.Connection) -> dict[str, str]:
    rows = database.execute("SELECT collection_id, str_value FROM collection_metadata WHERE key = ?", (_MODEL_KEY,))
    return {str(id_): str(model) for id_, model in rows if model is not None}
