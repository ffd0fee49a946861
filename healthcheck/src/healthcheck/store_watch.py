"""Looking at the store now and then, in a thread of its own, and never while its server is stopped."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from healthcheck.disk import allocated_bytes
from healthcheck.observation import StoreView
from healthcheck.store_look import StoreLook
from store import StoreError

LOOK_EVERY_S = 60.0
LOOK_AGAIN_S = 5.0
"""After a look that failed; and for the holder of the write lock, while writes are blocked."""
REST = 500.0
"""A look is followed by a rest of this many times its own length: 0.2 % of a core at most, however large the store."""
WALK_LIMIT_S = 10.0
"""Adding up the files' sizes; a folder with so many files that it takes longer is told as a problem."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen last. A look that fails leaves the figures of the one before."""

    view: StoreView | None = None
    bytes: int | None = None
    """Allocated blocks of all files of the store."""
    problem: str = ""
    """Why the last look failed; empty when it did not."""
    write_lock_pid: int | None = None
    """Holder of SQLite's write lock, as last looked for while writes were blocked."""


class StoreWatch:
    """Looks at one store whenever it is time."""

    def __init__(self, store: Path, every_s: float) -> None:
        self._every_s = every_s
        self.seen = Seen()
        self.look = StoreLook(store)
        self._store = store
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pid: int | None = None
        self._next_s = self._lock_next_s = 0.0
        self._due = self._lock_due = self._closed = False

    def mind(self, now_s: float, pid: int | None, *, blocked: bool) -> None:
        """Start a look if it is time. Returns at once.

        Args:
            now_s: `time.monotonic()`.
            pid: of the server; None while there must be no look. After another one has started all is counted anew.
            blocked: writes do not end, so that the holder of the write lock is of interest.
        """
        with self._changed:
            if pid is None:
                if self._pid is not None:
                    self.look.let_go()
                self._pid = None
                return
            if pid != self._pid:
                self._pid, self._next_s = pid, now_s
                self.look.forget()
                self.look.take_up()
            if not blocked:
                self._lock_next_s = now_s
            elif now_s >= self._lock_next_s:
                self._lock_next_s = now_s + LOOK_AGAIN_S
                self._lock_due = True
            if now_s >= self._next_s:
                self._next_s = float("inf")
                self._due = True
            if self._due or self._lock_due:
                self._wake()

    def let_go(self, limit_s: float) -> bool:
        """Break off a running look and begin none before `mind` names a process; whether the store is closed."""
        with self._changed:
            self._pid, self._due = None, False
        return self.look.let_go(limit_s)

    def close(self) -> None:
        """End the thread; a running look is broken off."""
        self.look.let_go()
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _wake(self) -> None:
        self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="store-watch", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._due or self._lock_due)
                if self._closed:
                    return
                look, lock = self._due, self._lock_due
                self._due = self._lock_due = False
            if lock:
                self.seen = replace(self.seen, write_lock_pid=self.look.write_lock_holder())
            if look:
                self._take_a_look()

    def _take_a_look(self) -> None:
        start_s = time.monotonic()
        try:
            view = self.look.look()
            size = allocated_bytes(str(self._store), time.monotonic() + WALK_LIMIT_S)
            self.seen = Seen(view, size, write_lock_pid=self.seen.write_lock_pid)
        except (OSError, sqlite3.Error, StoreError, ValueError) as error:
            self.seen = replace(self.seen, problem=in_words(error))
        now_s = time.monotonic()
        rest_s = LOOK_AGAIN_S if self.seen.problem else max(self._every_s, REST * (now_s - start_s))
        with self._changed:
            if self._next_s == float("inf"):  # else another process was named meanwhile
                self._next_s = now_s + rest_s


def in_words(why: object) -> str:
    """An error without the path of what it is about: readiness tells it to whoever asks."""
    if isinstance(why, TimeoutError):
        return "it took too long"
    if isinstance(why, OSError):
        return why.strerror or type(why).__name__
    return type(why).__name__ if isinstance(why, StoreError) else str(why)
