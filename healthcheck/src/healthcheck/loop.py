"""The guard's one loop: waits for signals, ended children and the next tick, and keeps turning during all waits."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType

from healthcheck.processes import reap_strangers

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(Exception):  # noqa: N818 (named after the state)
    """Somebody asked the guard to stop."""


class Loop:
    """Runs in the main thread, which also starts all children: they are tied to the thread that started them."""

    def __init__(self, tick_s: float) -> None:
        """Args: tick_s: from tick to tick."""
        self._tick_s = tick_s
        self._on_tick: Callable[[], None] = lambda: None
        self._next_s = time.monotonic()
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stops: list[signal.Signals] = []
        self.turned_at_s = time.monotonic()
        """When it last turned, for those who judge whether it still does."""

    def listen(self, on_tick: Callable[[], None]) -> None:
        """Take the process's signals, and call this in every tick. SIGCHLD only wakes; the others ask to stop."""
        self._on_tick = on_tick
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for number in STOP_SIGNALS:
            signal.signal(number, self._stop)

    @property
    def stops(self) -> int:
        """How often the guard was asked to stop."""
        return len(self._stops)

    @property
    def stop_name(self) -> str:
        """The first signal that asked to stop."""
        return self._stops[0].name if self._stops else ""

    @contextlib.contextmanager
    def faster(self, tick_s: float) -> Iterator[None]:
        """Tick more often for a while, where people wait for what a tick sees."""
        usual_s, self._tick_s = self._tick_s, min(self._tick_s, tick_s)
        self._next_s = min(self._next_s, time.monotonic() + self._tick_s)
        try:
            yield
        finally:
            self._tick_s = usual_s

    def wait(
        self,
        until: Callable[[], bool],
        limit_s: float | None = None,
        *,
        every_s: float | None = None,
        stoppable: bool = True,
    ) -> bool:
        """Turn until the condition holds. It is looked at after every signal, every child's end and every tick.

        Args:
            until: the condition.
            limit_s: how long at most; None without a limit.
            every_s: look this often, where the condition is something that no signal tells.
            stoppable: whether a request to stop ends the wait.

        Returns:
            Whether it holds; False after the limit.

        Raises:
            StopRequested: the guard was asked to stop.
        """
        deadline_s = float("inf") if limit_s is None else time.monotonic() + limit_s
        while True:
            if stoppable and self._stops:
                raise StopRequested(self.stop_name)
            if until():
                return True
            now_s = time.monotonic()
            if now_s >= deadline_s:
                return False
            self._turn(min(self._next_s, deadline_s, now_s + every_s if every_s else deadline_s))

    def _turn(self, until_s: float) -> None:
        """Sleep until a signal or the moment, then tick if it is time."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        # Rounded up: a wait that ends a little early would turn several times within the last millisecond.
        if poll.poll(max(0.0, 1e3 * (until_s - time.monotonic()) + 0.999)):
            os.read(self._reader, 4096)
            reap_strangers()
        now_s = self.turned_at_s = time.monotonic()
        if now_s >= self._next_s:
            # After a long stop of the whole machine the missed ticks are not made up for.
            self._next_s = max(self._next_s + self._tick_s, now_s)
            self._on_tick()

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature of handlers)
        self._stops.append(signal.Signals(number))
