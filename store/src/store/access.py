"""May this process write everything in the store that a server must write?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from store.catalog import is_index_folder
from store.errors import StoreReadOnly, WrongOwner


def check(store: Path) -> None:
    """Raise unless this user may write the store, and what it writes stays usable for the store's owner.

    A file of another user is accepted when its group may write it and this process is in that group (a volume mounted
    with a file-system group). Root is not: what it makes could be written by root only.

    Raises:
        WrongOwner: something belongs to another user.
        StoreReadOnly: something cannot be written although it belongs to this user.
    """
    uid = os.geteuid()
    groups = {os.getegid(), *os.getgroups()}
    for path in _writable_paths(store):
        status = path.stat()
        shared = uid != 0 and status.st_gid in groups and status.st_mode & stat.S_IWGRP
        if status.st_uid != uid and not shared:
            raise WrongOwner(
                f"{path} belongs to user {status.st_uid}, and this process runs as user {uid}. Run it as user "
                f"{status.st_uid}, or give the store to {uid}: chown -R {uid} {store}"
            )
        needed = os.R_OK | os.W_OK | (os.X_OK if stat.S_ISDIR(status.st_mode) else 0)
        if not os.access(path, needed, effective_ids=True):
            raise StoreReadOnly(
                f"{path} cannot be written by user {uid} (mode {stat.S_IMODE(status.st_mode):04o}, "
                f"owner {status.st_uid}:{status.st_gid}): mount the volume writable, or correct the mode with "
                f"chmod -R u+rwX {store}"
            )


def _writable_paths(store: Path) -> Iterator[Path]:
    """The directory, SQLite's files, and the index folders with their files; not what else may lie there."""
    yield store
    for entry in sorted(store.iterdir()):
        if entry.name.startswith("chroma.sqlite3"):
            yield entry
        elif is_index_folder(entry):
            yield entry
            yield from sorted(entry.iterdir())
