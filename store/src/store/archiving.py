"""The archiver beside the server: it has `chroma.sqlite3` open all the time, and lets go of it when asked to.

Two locks of the kernel, so that neither side waits for one that is dead: the archiver holds `archiving` while it has
the database open; whoever needs the database alone holds `closed`, at which the archiver lets go.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from store.errors import StoreInUse
from store.lock_file import open_lock_file

ARCHIVING, CLOSED = "archiving", "closed"
_POLL_S = 0.05
_LOOK_S = 0.5
"""Somebody who only looks holds a lock for an instant, and is not to be taken for its holder."""


class Archiving:
    """That an archiver has the store's database open, from `__enter__` to `__exit__` or the process's death."""

    def __init__(self, path: Path) -> None:
        """Args: path: the store."""
        self.path = Path(path)
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock without waiting.

        Raises:
            StoreInUse: another archiver has it, or somebody wants the database closed.
            StoreError: the store cannot be written.
        """
        # First ours, then the look: whoever closes does it the other way round, so one of them sees the other.
        descriptor = open_lock_file(self.path, ARCHIVING)
        if not _take_after_lookers(descriptor):
            os.close(descriptor)
            raise StoreInUse(f"the store {self.path} already has an archiver: two would archive over each other.")
        if is_wanted_closed(self.path):
            os.close(descriptor)
            raise StoreInUse(f"the database of {self.path} is wanted closed for a moment: archive it afterwards.")
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say that the database is closed."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            # Closing alone would leave the lock with a child that is just being started and still has the copy.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


class Closed:
    """That no archiver opens the store's database, from `__enter__` to `__exit__` or the process's death.

    One that has it open is asked to let go, which takes it a moment: `wait` for it, or look (`is_archived`).
    """

    def __init__(self, path: Path) -> None:
        """Args: path: the store."""
        self.path = Path(path)
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Ask the archiver to let go.

        Raises:
            StoreInUse: another process wants the same.
            StoreError: the store cannot be written.
        """
        descriptor = open_lock_file(self.path, CLOSED)
        if not _take_after_lookers(descriptor):
            os.close(descriptor)
            raise StoreInUse(f"another process has the database of {self.path} closed for itself. Try again later.")
        self._descriptor = descriptor
        return self

    def wait(self, limit_s: float) -> None:
        """Wait until the archiver has let go.

        Raises:
            StoreInUse: it did not.
        """
        deadline_s = time.monotonic() + limit_s
        while is_archived(self.path):
            if time.monotonic() > deadline_s:
                raise StoreInUse(
                    f"the archiver of {self.path} did not close the database within {limit_s:g} s; its log says what "
                    "it is doing. Stop it, then try again."
                )
            time.sleep(_POLL_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the archiver open it again."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def is_archived(store: Path) -> bool:
    """Whether an archiver has the store's database open."""
    return _is_held(store, ARCHIVING)


def is_wanted_closed(store: Path) -> bool:
    """Whether the archiver has to let go of the store's database."""
    return _is_held(store, CLOSED)


def _is_held(store: Path, name: str) -> bool:
    descriptor = open_lock_file(Path(store), name)
    try:
        # Shared, so that two who only look are not taken for holders.
        return not _take(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _take_after_lookers(descriptor: int) -> bool:
    deadline_s = time.monotonic() + _LOOK_S
    while not _take(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_POLL_S / 10)
    return True


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
