"""Which process holds SQLite's write lock? Only looked at, never taken."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

# WAL_WRITE_LOCK: the byte of the -shm file that a writer locks. https://www.sqlite.org/walformat.html#wal_locks
_WRITE_BYTE = 120
_FLOCK = "hhqqi4x"
"""`struct flock` of Linux on 64 bits: type, whence, start, length, pid."""


def write_lock_holder(database: Path) -> int | None:
    """The process that holds it; 0 when it is in another container; None when nobody does, or nobody can tell.

    Closing the file drops this process's own locks on it, so no connection of this process may be open.
    """
    try:
        descriptor = os.open(f"{database}-shm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _WRITE_BYTE, 1, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else max(0, int(pid))
