"""Taking the store's writer lock at the start of the guard."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import store
from healthcheck.output import Log

_DYING_LIMIT_S = 10.0
_POLL_S = 0.05


@contextlib.contextmanager
def take_lock(path: Path, log: Log) -> Iterator[store.WriterLock]:
    """Hold the lock. One that only the dying server of a killed guard still holds is waited for.

    Raises:
        store.StoreError: another process has it, or there is no store to lock.
    """
    deadline_s = time.monotonic() + _DYING_LIMIT_S
    while True:
        lock = store.WriterLock(path, program="the guard")
        try:
            lock.__enter__()
        except store.StoreLocked as locked:
            if locked.holder is None or _is_alive(locked.holder) or time.monotonic() > deadline_s:
                raise
            time.sleep(_POLL_S)
        else:
            break
    try:
        if lock.predecessor is not None:
            log.warning("lock.stale", held_by=str(lock.predecessor), reason="it ended without giving the lock back")
        yield lock
    finally:
        lock.__exit__(None, None, None)


def _is_alive(holder: store.Holder) -> bool:
    """Whether the holder may still run; its id means something only on the same kernel and in the same container."""
    myself = store.lock.myself("")
    if (holder.boot, holder.container, holder.host) != (myself.boot, myself.container, myself.host):
        return True
    return Path(f"/proc/{holder.pid}").exists() and holder.pid != os.getpid()
