"""One activity at a time: planned restarts, repair, compaction and copies keep out of each other's way."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from store.errors import EXIT_LOCKED, StoreError, StoreReadOnly
from store.lock import Holder, myself
from store.lock_file import DIRECTORY, open_lock_file

FILE_NAME = "activity"
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Activity:
    """What is being done with the store, and by whom: for messages only, the lock itself is the kernel's."""

    what: str
    holder: Holder

    def __str__(self) -> str:
        return f"{self.what} by {self.holder}"


class StoreBusy(StoreError):  # noqa: N818 (named after the state, as in FileNotFound)
    """Another activity is under way."""

    exit_code = EXIT_LOCKED

    def __init__(self, path: Path, wanted: str, running: Activity | None) -> None:
        self.path = path
        self.running = running
        super().__init__(
            f"{wanted} of the store {path} has to wait: {running or 'something else'} is under way. Try again later; "
            "the lock ends with its process."
        )


class ActivityLock:
    """The right to do one of the things that must not overlap, from `__enter__` to `__exit__` or the process's death.

    `flock` on `<store>/.cortex/activity`. It says nothing about who may write the store, which is `WriterLock`'s: a
    copy of a running server holds this lock alone, a compaction both.

    Attributes:
        interrupted: what was under way before and never ended (its process was killed); None after a clean end.
    """

    def __init__(self, path: Path, activity: str, wait_s: float = 0.0) -> None:
        """Args: path: the store. activity: a word for the message to others. wait_s: how long to wait for another."""
        self.path = Path(path)
        self.activity = activity
        self.interrupted: Activity | None = None
        self._wait_s = wait_s
        self._descriptor: int | None = None

    @property
    def file(self) -> Path:
        """The file that is locked."""
        return self.path / DIRECTORY / FILE_NAME

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StoreBusy: another activity did not end within the time to wait.
            StoreMissing: the store's directory does not exist.
            StoreReadOnly: the lock file cannot be made or written.
            StoreError: the file system has no locks.
        """
        if self._descriptor is not None:
            raise StoreBusy(self.path, self.activity, _read(self._descriptor))
        descriptor = open_lock_file(self.path, FILE_NAME)
        try:
            self._take(descriptor)
            self.interrupted = _read(descriptor)
            self._write(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back, and note in the file that the activity ended."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            os.ftruncate(descriptor, 0)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        deadline_s = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise StoreBusy(self.path, self.activity, _read(descriptor)) from None
                time.sleep(min(_POLL_S, left_s))
            except OSError as error:
                raise StoreError(
                    f"the file system of {self.path} has no locks ({error.strerror}). Put the store on a local or "
                    "block volume."
                ) from error
            else:
                return

    def _write(self, descriptor: int) -> None:
        text = json.dumps(asdict(Activity(self.activity, myself(self.activity)))) + "\n"
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)
        except OSError as error:
            raise StoreReadOnly(f"{self.file} cannot be written ({error.strerror}).") from error


def _read(descriptor: int) -> Activity | None:
    """What the file says; None when it is empty, half-written or of another kind."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return Activity(what=str(found["what"]), holder=Holder(**found["holder"]))
    except (OSError, TypeError, ValueError, KeyError):
        return None
