"""One at a time: bases, checks and removals of one store take turns."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from store.lock_file import open_lock_file

from backup.errors import Busy

_NAME = "backing-up"
_POLL_S = 0.2


@contextlib.contextmanager
def turn(store: Path, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock `<store>/.cortex/backing-up` until the end of the block, or the process's death.

    Args:
        store: whose backups are worked on.
        what: a word for the message to others.
        wait_s: how long to wait for another.

    Raises:
        Busy: another did not end in time.
        StoreError: the store cannot be written.
    """
    descriptor = open_lock_file(store, _NAME)
    try:
        _take(descriptor, what, wait_s)
        _note(descriptor, {"what": what, "pid": os.getpid(), "since_s": time.time()})
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def running(store: Path) -> str:
    """What is under way, in a word; empty when nothing is."""
    descriptor = open_lock_file(store, _NAME)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor) or "something"
    else:
        return ""
    finally:
        os.close(descriptor)


def _take(descriptor: int, what: str, wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise Busy(
                    f"{what} has to wait: {_read(descriptor) or 'another backup'} is under way. Try again later; the "
                    "lock ends with its process."
                ) from None
            time.sleep(min(_POLL_S, left_s))
        else:
            return


def _note(descriptor: int, content: dict[str, object]) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(content) + "\n").encode(), 0)


def _read(descriptor: int) -> str:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return f"{found['what']} by process {found['pid']}"
    except (OSError, TypeError, ValueError, KeyError):
        return ""
