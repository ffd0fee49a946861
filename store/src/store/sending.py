"""`send`: a store that nobody uses, as one stream. It is only read, byte by byte: SQLite never opens it.

The stream is a tar: first what is coming, then the files, at last a word that all of it came. Whoever reads it needs
no access to the store, and whoever writes it needs none to where it goes.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from store.catalog import is_index_folder
from store.database import check_file, database_path
from store.errors import StoreInUse, StoreReadOnly
from store.openers import check_unused

HEAD, END = "store.json", "end.json"
JOURNALS = ("-wal", "-journal")
"""Beside the database after a crash; SQLite applies them where it next opens it. The `-shm` is made anew."""
_SHARED_FIRST, _SHARED_BYTES = 0x40000002, 510
"""What every reader locks while it reads. Source: https://www.sqlite.org/src/file/src/os.h"""


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    bytes: int
    modified_ns: int


def send(source: Path, out: BinaryIO) -> int:
    """Write the store into a stream. Nothing in it is changed.

    Args:
        source: a directory with `chroma.sqlite3`; it may be mounted for reading only.
        out: gets the stream. It has no end if this fails.

    Returns:
        How many bytes the store's files have.

    Raises:
        StoreInUse: a process has it open or locked, as far as can be seen, or changed it meanwhile.
        StoreError: it is no store, or cannot be read.
    """
    source = Path(source)
    check(source)
    try:
        with _read_locked(source) as database:
            files = _files(source)
            total = sum(file.bytes for file in files)
            with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                _add(tar, HEAD, {"files": len(files), "bytes": total})
                for file in files:
                    _add_file(tar, source, file, database)
                if _files(source) != files:
                    raise StoreInUse(f"{source} was changed while it was read. Stop what writes it, then try again.")
                _add(tar, END, {"files": len(files), "bytes": total})
    except PermissionError as error:
        raise StoreReadOnly(f"{error.filename} cannot be read by this user ({error.strerror}).") from error
    except FileNotFoundError as error:
        raise StoreInUse(f"{error.filename} vanished while it was read. Stop what writes the store.") from error
    return total


def check(source: Path) -> None:
    """Raise when it is no store, or is in use, as far as that can be seen without reading it.

    Raises:
        StoreError: it is.
    """
    try:
        check_file(source)
    except PermissionError as error:
        raise StoreReadOnly(f"{source} cannot be read by this user ({error.strerror}).") from error
    if sys.platform == "linux":
        check_unused(source)
    with _read_locked(source):
        pass


@contextlib.contextmanager
def _read_locked(source: Path) -> Iterator[BinaryIO]:
    """The database, locked as a reader does it: a server with a rollback journal cannot commit meanwhile.

    Raises:
        StoreInUse: a process is writing it.
    """
    path = database_path(source)
    with path.open("rb") as database:
        try:
            fcntl.lockf(database, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_FIRST)
        except BlockingIOError:
            raise StoreInUse(f"{path} is locked by another process. Stop the server, then try again.") from None
        except OSError:
            pass  # a file system without locks: that nothing changes while it is read is looked at in any case
        yield database


def _files(source: Path) -> list[_File]:
    database = database_path(source)
    paths = [database, *(path for end in JOURNALS if (path := database.with_name(database.name + end)).exists())]
    for folder in sorted(source.iterdir()):
        if is_index_folder(folder):
            paths += sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.is_symlink())
    found = [(path, path.stat()) for path in paths]
    return [_File(str(path.relative_to(source)), status.st_size, status.st_mtime_ns) for path, status in found]


def _add_file(tar: tarfile.TarFile, source: Path, file: _File, database: BinaryIO) -> None:
    """The database comes from the descriptor that has the lock: closing another one would drop it."""
    entry = _entry(file.name, file.bytes)
    path = source / file.name
    try:
        if path == database_path(source):
            database.seek(0)
            tar.addfile(entry, database)
        else:
            with path.open("rb") as content:
                tar.addfile(entry, content)
    except OSError as error:
        if isinstance(error, BrokenPipeError | PermissionError | FileNotFoundError):
            raise
        raise StoreInUse(f"{path} was changed while it was read ({error}). Stop what writes the store.") from error


def _add(tar: tarfile.TarFile, name: str, content: dict[str, int]) -> None:
    text = json.dumps(content).encode()
    tar.addfile(_entry(name, len(text)), io.BytesIO(text))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name.replace(os.sep, "/"))
    entry.size = size
    return entry
