"""How `chroma run` is: its heartbeat says only that it listens, so the guard writes, reads and searches itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace

from healthcheck.ask import ask
from healthcheck.chroma_http import CanaryFailed, ChromaHttp, IndexToLoad
from healthcheck.observation import CanaryView, ServerView, Warming
from healthcheck.server_watch import Publish, unanswered
from healthcheck.units import one_line

LOAD_LIMIT_S = 3600.0
"""For one index: it may be rebuilt from the log, at about 1,000 vectors of 384 dimensions a second."""


class AskChroma:
    """`chroma run`: its heartbeat shows that it listens; the guard's own canary and warm-up show the rest."""

    def __init__(
        self,
        host: str,
        port: int,
        target: str,
        *,
        timeout_s: float,
        canary_every_s: float,
        canary_limit_s: float,
        indexes: Callable[[], tuple[IndexToLoad, ...]],
    ) -> None:
        """Prepare, without asking.

        Args:
            host: an IP address.
            port: where it listens.
            target: path of the heartbeat.
            timeout_s: for the heartbeat.
            canary_every_s: from the start of one canary to the next.
            canary_limit_s: for a whole canary. A write that hangs stays in Chroma's queue, so it is long and seldom.
            indexes: what is to load after a start; raises while that is not known.
        """
        self._host, self._port, self._target = host, port, target
        self._timeout_s = timeout_s
        self._canary_every_s = canary_every_s
        self._canary_limit_s = canary_limit_s
        self._indexes = indexes
        self._chroma = ChromaHttp(host, port)
        self._pid: int | None = None
        self._warm = False
        self._unloaded = 0
        self._canary: CanaryView | None = None
        self._sung_at_s = 0.0
        self._ended_at_s = 0.0

    def ask(self, view: ServerView, publish: Publish) -> ServerView:
        """Heartbeat; after a start the warm-up; a canary when it is time."""
        if view.pid != self._pid:
            self._pid, self._warm, self._canary = view.pid, False, None
        asked_at_s = time.monotonic()
        answer = ask(self._host, self._port, self._target, asked_at_s + self._timeout_s)
        if answer.problem or answer.status != 200:
            return unanswered(view, answer, asked_at_s)
        answered = replace(view, answered=True, problem="", took_ms=answer.took_ms, asked_at_s=time.monotonic())
        if not self._warm:
            try:
                self._warm_up(answered, publish)
            except (OSError, ValueError, sqlite3.Error):
                return replace(answered, status="starting")
        if self._canary is None or time.monotonic() - self._sung_at_s >= self._canary_every_s:
            self._sing()
        return self._told(answered)

    def _warm_up(self, view: ServerView, publish: Publish) -> None:
        """Load every index. One that cannot be loaded keeps nobody from using the others.

        Raises:
            ConnectionError: the server is gone.
            OSError, ValueError, sqlite3.Error: what there is to load is not known.
        """
        indexes = self._indexes()
        unloaded = 0
        for done, index in enumerate(indexes):
            publish(replace(view, status="starting", warming=Warming(done, len(indexes))))
            try:
                self._chroma.load(index, LOAD_LIMIT_S)
            except CanaryFailed as failed:
                if not failed.answered:
                    raise ConnectionError(str(failed)) from failed
                unloaded += 1
        self._warm, self._unloaded = True, unloaded

    def _sing(self) -> None:
        self._sung_at_s = time.monotonic()
        try:
            sung = self._chroma.canary(self._canary_limit_s)
        except CanaryFailed as failed:
            self._canary = CanaryView(False, 0.0, one_line(str(failed)))
        else:
            self._canary = CanaryView(True, 0.0, None, sung.write_ms, sung.read_ms)
        self._ended_at_s = time.monotonic()

    def _told(self, view: ServerView) -> ServerView:
        canary, now_s = self._canary, time.monotonic()
        if canary is None:
            return replace(view, status="starting")
        return replace(
            view,
            status="ok" if canary.ok else "failing",
            warming=None,
            unloaded=self._unloaded,
            asked_at_s=now_s,
            canary=replace(canary, age_s=now_s - self._ended_at_s),
            disk_full=view.disk_full or "is full" in (canary.error or ""),
        )
