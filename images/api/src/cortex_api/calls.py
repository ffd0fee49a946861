"""Calls into a store: many may run, writes one at a time, and closing waits for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cortex_api.storage import StoreBusy, StoreClosed

# Longer than any batch takes; SQLite itself would wait 1000 s, with the caller's connection open all the time.
WRITE_WAIT_S = 30.0


class Calls:
    """Counts running calls, serialises writes."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._running = 0
        self._closing = False
        self._write = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around a call that reads.

        Raises:
            StoreClosed: closing has begun.
        """
        with self._condition:
            if self._closing:
                raise StoreClosed("the store is closing")
            self._running += 1
        try:
            yield
        finally:
            with self._condition:
                self._running -= 1
                self._condition.notify_all()

    @contextmanager
    def writing(self, wait_s: float = WRITE_WAIT_S) -> Iterator[None]:
        """Around a call that writes; waits for the other writes.

        Raises:
            StoreBusy: they took longer than `wait_s`.
            StoreClosed: closing has begun.
        """
        with self.reading():
            if not self._write.acquire(timeout=wait_s):
                raise StoreBusy(f"other writes did not end within {wait_s:g} s")
            try:
                yield
            finally:
                self._write.release()

    def drain(self, timeout_s: float) -> bool:
        """Let no new call in and wait for the running ones; False if some remain."""
        deadline = time.monotonic() + timeout_s
        with self._condition:
            self._closing = True
            while self._running:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._condition.wait(left)
        return True
