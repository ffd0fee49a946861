"""The files whose locks keep processes apart, all in one directory of the store."""

from __future__ import annotations

import os
from pathlib import Path

from store.errors import StoreMissing, StoreReadOnly

DIRECTORY = ".cortex"


def open_lock_file(store: Path, name: str) -> int:
    """The descriptor of a lock file, made if missing; children do not inherit it.

    Raises:
        StoreMissing: the store's directory does not exist.
        StoreReadOnly: the file cannot be made or written.
    """
    if not store.is_dir():
        raise StoreMissing(f"{store} is not a directory: create or mount the store's volume there.")
    file = store / DIRECTORY / name
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreReadOnly(
            f"{file} cannot be opened for writing ({error.strerror}): mount the volume writable, and give it to user "
            f"{os.geteuid()}, as which this process runs."
        ) from error
