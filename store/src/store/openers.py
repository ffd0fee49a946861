"""Which processes have `chroma.sqlite3` open? A store is prepared and repaired only while nobody has."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from store.database import database_path
from store.errors import StoreInUse

# Every connection in WAL mode holds a shared lock on this byte of the -shm file ("dead man switch").
# Source: https://www.sqlite.org/walformat.html#locks (WAL_DMS lock).
_WAL_OPEN_BYTE = 128
_FLOCK = "hhqqi4x"
"""`struct flock` of Linux on 64 bits: type, whence, start, length, pid."""


def check_unused(store: Path) -> None:
    """Raise when a process has the database open, as far as it can be seen.

    Two looks: the open files of the processes this user may see, and the lock that each connection in WAL mode holds,
    which is seen across containers too. An idle server in another container on a store not yet in WAL mode is seen
    by neither; the `WriterLock` keeps ours apart.

    Raises:
        StoreInUse: naming the process where it is known.
    """
    path = database_path(store)
    pids = processes_with_open(path)
    if os.getpid() in pids:
        raise StoreInUse(
            f"{path} is open in this very process. Make the tables in a child process that ends before the store is "
            "prepared: closing it here would drop SQLite's locks."
        )
    if pids:
        raise StoreInUse(f"{path} is open in process {', '.join(map(str, pids))}. Stop the server, then try again.")
    if (holder := _wal_holder(path)) is not None:
        where = f"process {holder}" if holder > 0 else "a process in another container"
        raise StoreInUse(f"{path} is open in {where}. Stop the server, then try again.")


def check_not_open_here(store: Path) -> None:
    """Raise when this very process has the database open: closing a second descriptor would drop SQLite's locks.

    Raises:
        StoreInUse: it has.
    """
    path = database_path(store)
    if _has_open(Path("/proc/self/fd"), path.stat()):
        raise StoreInUse(
            f"{path} is open in this very process. Copy it from a process of its own: closing it here would drop "
            "SQLite's locks."
        )


def is_in_use(store: Path) -> bool:
    """Whether a process has the database open, as far as it can be seen.

    To be asked before this process opens it: closing a file drops all POSIX locks that the process has on it.
    """
    path = database_path(store)
    return bool(processes_with_open(path)) or _wal_holder(path) is not None


def processes_with_open(path: Path) -> list[int]:
    """Ids of the processes, seen from here, that have the file open; without those of other users, unless root."""
    wanted = path.stat()
    return sorted(
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and _has_open(process / "fd", wanted)
    )


def _has_open(descriptors: Path, wanted: os.stat_result) -> bool:
    try:
        links = list(descriptors.iterdir())
    except OSError:
        return False
    for link in links:
        try:
            status = link.stat()
        except OSError:
            continue
        if os.path.samestat(status, wanted):
            return True
    return False


def _wal_holder(path: Path) -> int | None:
    """The process which holds the database open in WAL mode; -1 or 0 when its id has no meaning here; None if none."""
    shared = path.with_name(path.name + "-shm")
    try:
        # To ask for a lock the file need not be open for writing, which a store mounted read-only does not allow.
        descriptor = os.open(shared, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _WAL_OPEN_BYTE, 1, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else int(pid)
