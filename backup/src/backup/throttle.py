"""Lines of a tool that says the same each second while the target is gone: a few of them are enough."""

from __future__ import annotations

import time
from collections.abc import Callable

_PERIOD_S = 60.0
_MOST_LINES = 10


class Throttle:
    """Lets a few lines pass in each minute, and counts the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()
        self._lines = 0
        self.held_back = 0
        """Lines of the present minute that did not pass."""

    def passes(self) -> bool:
        """Whether one more line does."""
        now_s = self._clock()
        if now_s - self._began_s >= _PERIOD_S:
            self._began_s, self._lines, self.held_back = now_s, 0, 0
        self._lines += 1
        if self._lines <= _MOST_LINES:
            return True
        self.held_back += 1
        return False
