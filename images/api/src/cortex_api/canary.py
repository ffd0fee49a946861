"""Does the store still work? Asked regularly: an embedded one is written and read, a remote one only read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cortex_api.logs import get_logger

_log = get_logger(__name__)
# Exact as a 32-bit float, and back to 0 after two years of a write a minute.
_VALUES = 1 << 20
# A failure is logged when it begins, and again this often while it lasts.
_SAY_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class CanaryResult:
    """The last round. `at_s` is of time.monotonic."""

    ok: bool
    at_s: float
    write_ms: float = 0.0
    read_ms: float = 0.0
    error: str | None = None
    failing_since_s: float | None = None
    """When the first of an unbroken row of failures began; of time.monotonic."""


class Canary:
    """A thread that writes a value through the store and reads it back."""

    def __init__(self, round_trip: Callable[[float], tuple[float, float]], interval_s: float) -> None:
        """Prepare, without starting.

        Args:
            round_trip: writes and reads a value; seconds of both. Raises when the store does not.
            interval_s: from the end of one round to the start of the next.
        """
        self._round_trip = round_trip
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._count = 0
        self._last: CanaryResult | None = None
        self._said_s = 0.0
        self._thread = threading.Thread(target=self._run, name="canary", daemon=True)

    @property
    def last(self) -> CanaryResult | None:
        """The last round; None before the first ended."""
        return self._last

    def start(self) -> None:
        """Go on until stopped."""
        self._thread.start()

    def stop(self) -> None:
        """No further write; a running one ends by itself (the store waits for it when closing)."""
        self._stopping.set()

    def sing(self) -> CanaryResult:
        """One round, now."""
        self._count = (self._count + 1) % _VALUES
        began_s = time.monotonic()
        try:
            write_s, read_s = self._round_trip(float(self._count))
        except Exception as error:  # whatever it is, the store does not work
            since_s = self._failing_since_s or began_s
            self._say(error, first=since_s == began_s)
            problem = f"{type(error).__name__}: {error}"
            result = CanaryResult(False, time.monotonic(), error=problem, failing_since_s=since_s)
        else:
            result = CanaryResult(True, time.monotonic(), round(write_s * 1e3, 3), round(read_s * 1e3, 3))
            if self._last is not None and not self._last.ok:
                _log.info("canary.recovered", write_ms=result.write_ms, read_ms=result.read_ms)
        self._last = result
        return result

    @property
    def _failing_since_s(self) -> float | None:
        return self._last.failing_since_s if self._last else None

    def _say(self, error: Exception, *, first: bool) -> None:
        now_s = time.monotonic()
        if not self._stopping.is_set() and (first or now_s - self._said_s >= _SAY_EVERY_S):
            self._said_s = now_s
            _log.error("canary.failed", reason=str(error), error=type(error).__name__)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self.sing()
