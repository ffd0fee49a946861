"""Opening `chroma.sqlite3`: what must hold before SQLite may touch it, and errors a reader can act on."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from store.errors import NotAStore, StoreDamaged, StoreError, StoreInUse, StoreMissing, StoreReadOnly

FILE_NAME = "chroma.sqlite3"
BUSY_TIMEOUT_S = 2.0
"""The server is stopped, so nobody should hold a lock; a backup tool may for a moment."""

_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\x00"


def database_path(store: Path) -> Path:
    """The SQLite file of the store, which is in Chroma's layout a fixed name."""
    return store / FILE_NAME


def check_file(store: Path) -> None:
    """Judge the file by its first 100 bytes and its size, without opening it as a database.

    Opening may already change files (SQLite rolls back what a crash left), which must not happen to what is no store.

    Raises:
        StoreMissing: no such directory, or no `chroma.sqlite3` in it.
        NotAStore: the path is no directory, or the file no SQLite database.
        StoreDamaged: the file is empty, or shorter than its header says.
    """
    if not store.exists():
        raise StoreMissing(f"{store} does not exist: create or mount the store's volume there, or correct the path.")
    if not store.is_dir():
        raise NotAStore(f"{store} is not a directory: the store's path is the directory that holds {FILE_NAME}.")
    path = database_path(store)
    if not path.exists():
        raise StoreMissing(f"{store} holds no {FILE_NAME}: start Chroma on it once, so that it makes its tables.")
    if not path.is_file():
        raise NotAStore(f"{path} is not a regular file.")
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except PermissionError as error:
        raise StoreReadOnly(f"{path} cannot be read by this user: {error.strerror}.") from error
    if not header:
        raise StoreDamaged(
            f"{path} is empty. Restore the store from a backup, or remove the file if it never held data."
        )
    if not header.startswith(_MAGIC[: len(header)]):
        raise NotAStore(f"{path} is not an SQLite database (it starts with {header[:16]!r}).")
    if len(header) < _HEADER_BYTES:
        raise StoreDamaged(f"{path} is cut off within its header ({len(header)} bytes). Restore it from a backup.")
    _check_length(path, header)


def _check_length(path: Path, header: bytes) -> None:
    """Compare the size with the header, where the header is valid and no journal can still change either.

    Header fields: https://www.sqlite.org/fileformat2.html#the_database_header
    """
    if any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-journal")):
        return
    (raw_page_bytes,) = struct.unpack_from(">H", header, 16)
    page_bytes = 65536 if raw_page_bytes == 1 else raw_page_bytes
    changes, pages = struct.unpack_from(">II", header, 24)
    (valid_for,) = struct.unpack_from(">I", header, 92)
    size = path.stat().st_size
    if changes == valid_for and pages and size < pages * page_bytes:
        raise StoreDamaged(
            f"{path} is cut off: {size} bytes where its header says {pages * page_bytes}. Restore it from a backup."
        )


@contextlib.contextmanager
def opened(store: Path) -> Iterator[sqlite3.Connection]:
    """A connection in autocommit mode that never creates the file; SQLite's errors become `StoreError`s.

    What a crash left (a WAL, a hot journal) is applied or rolled back by SQLite at the first read, as it would be by
    Chroma. `synchronous` is EXTRA: a commit also syncs the directory that the journal vanishes from.
    """
    path = database_path(store)
    try:
        database = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
        )
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    try:
        database.execute("PRAGMA synchronous = EXTRA")
        yield database
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    finally:
        database.close()


@contextlib.contextmanager
def opened_to_read(store: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes nothing, beside a running server too; SQLite's errors become `StoreError`s.

    Where a crash left something that only a writer can roll back, SQLite does so first, as Chroma would.
    """
    with file_opened_to_read(database_path(store)) as database:
        yield database


@contextlib.contextmanager
def file_opened_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """The same for a database of any name."""
    try:
        try:
            database = _read_only(path, "ro")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
                raise
            database = _read_only(path, "rw")
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    try:
        yield database
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    finally:
        database.close()


def _read_only(path: Path, mode: str) -> sqlite3.Connection:
    database = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
    )
    try:
        database.execute("PRAGMA query_only = ON")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _explained(path: Path, error: sqlite3.Error) -> StoreError:
    """SQLite's result code as an error with something to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreInUse(f"{path} is locked by another process ({error}). Stop what uses the store, then try again.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return StoreReadOnly(
            f"{path} cannot be opened for writing ({error}): the volume, the file or its directory is read-only here."
        )
    if code == sqlite3.SQLITE_NOTADB:
        return NotAStore(f"{path} is not an SQLite database ({error}).")
    if code == sqlite3.SQLITE_FULL:
        return StoreError(
            f"there is no room to change {path} ({error}). Free some space on its volume, then try again."
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreDamaged(f"{path} is damaged ({error}). Restore the store from a backup.")
    return StoreError(f"{path}: SQLite says {error} ({type(error).__name__}).")
