"""Reading no faster than allowed, so that a scrub beside a server is not felt."""

from __future__ import annotations

import time
from collections.abc import Callable

_REST_S = 0.02
"""Shorter debts are carried on: sleeping for less costs more than it spares."""
_LONGEST_CREDIT_S = 0.1
"""Time lost elsewhere is not made up for by a burst."""


class Pace:
    """Counts bytes, and sleeps where they came too fast."""

    def __init__(
        self,
        bytes_per_s: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Args: bytes_per_s: None or 0 for as fast as it goes."""
        self.bytes_read = 0
        self.bytes_per_s = bytes_per_s or None
        self._clock = clock
        self._sleep = sleep
        self._due_s = clock()
        """When the bytes so far may have been read."""

    def spent(self, count: int) -> None:
        """So many bytes were read."""
        self.bytes_read += count
        if self.bytes_per_s is None:
            return
        now_s = self._clock()
        self._due_s = max(self._due_s, now_s - _LONGEST_CREDIT_S) + count / self.bytes_per_s
        if self._due_s - now_s >= _REST_S:
            self._sleep(self._due_s - now_s)
