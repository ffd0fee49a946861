"""Asking the server how it is, in a thread of its own: nothing that the server does can hold up the guard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from healthcheck.ask import Answer
from healthcheck.observation import ServerView

ASK_EVERY_S = 5.0
ASK_EVERY_UNREADY_S = 0.2
"""While it starts or fails: readiness is told at most this much late."""

Publish = Callable[[ServerView], None]


class Asker(Protocol):
    """One kind of server."""

    def ask(self, view: ServerView, publish: Publish) -> ServerView:
        """Ask once.

        Args:
            view: what is known of this process so far; a new process begins with a view that knows nothing.
            publish: takes views in between, where asking takes long.
        """
        ...


class ServerWatch:
    """Asks the process that the guard names, again and again."""

    def __init__(self, asker: Asker, every_s: float = ASK_EVERY_S) -> None:
        """Args: asker: for this kind of server. every_s: from one question to the next, while it is ready."""
        self._asker = asker
        self._every_s = every_s
        self._changed = threading.Condition()
        self._pid: int | None = None
        self._view = ServerView(running=False)
        self._closed = False
        self._thread: threading.Thread | None = None

    def view(self, pid: int | None, now_s: float) -> ServerView:
        """What is known of this process; asking begins when a new one is named, and rests while there is none.

        Args:
            pid: None when no server runs.
            now_s: `time.monotonic()`; the canary's age is told for this moment.
        """
        with self._changed:
            if pid != self._pid:
                self._pid = pid
                self._view = ServerView(running=pid is not None, pid=pid)
                self._changed.notify()
                if self._thread is None and pid is not None:
                    self._thread = threading.Thread(target=self._run, name="server-watch", daemon=True)
                    self._thread.start()
            return _aged(self._view, now_s)

    def close(self) -> None:
        """Ask no more; a request that is under way ends by itself."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._pid is not None)
                if self._closed:
                    return
                pid, view = self._pid, self._view
            seen = self._asker.ask(view, lambda between, pid=pid: self._publish(pid, between))  # type: ignore[misc]
            self._publish(pid, seen)
            pause_s = self._every_s if seen.ready else min(self._every_s, ASK_EVERY_UNREADY_S)
            with self._changed:
                self._changed.wait_for(lambda pid=pid: self._closed or self._pid != pid, pause_s)  # type: ignore[misc]

    def _publish(self, pid: int | None, view: ServerView) -> None:
        """Unless another process was named meanwhile."""
        with self._changed:
            if self._pid == pid:
                self._view = view


def _aged(view: ServerView, now_s: float) -> ServerView:
    """The view as of now: a canary goes on ageing while the server is not asked, or does not answer."""
    canary = view.canary
    if canary is None or canary.age_s is None or view.asked_at_s is None:
        return view
    return replace(view, canary=replace(canary, age_s=canary.age_s + max(0.0, now_s - view.asked_at_s)))


def unanswered(view: ServerView, answer: Answer, asked_at_s: float) -> ServerView:
    """What was known of the canary stays, and ages on."""
    canary = view.canary
    if canary is not None and canary.age_s is not None and view.asked_at_s is not None:
        canary = replace(canary, age_s=canary.age_s + asked_at_s - view.asked_at_s)
    return replace(
        view,
        answered=False,
        status="",
        problem=answer.problem or f"HTTP status {answer.status}",
        took_ms=answer.took_ms,
        asked_at_s=asked_at_s,
        canary=canary,
        warming=None,
    )
