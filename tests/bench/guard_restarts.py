"""How long a store of many vectors is away: at a planned restart, after a crash, after its container was killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.maintenance_window import open_window
from tests.recovery.clients import NotServed
from tests.recovery.guarded import Guarded
from tests.recovery.rows import row_id, vectors_of
from tests.recovery.servers import Victim, wait_until

DIMENSIONS = 384
_BATCH_ROWS = 1_000
_LIMIT_S = 600.0
_ASK_EVERY_S = 0.02
_NAME = "bench"


@dataclass(frozen=True)
class Away:
    """Seconds from the first query that fails to the first that is answered again."""

    vectors: int
    planned_s: float
    crash_s: float
    container_kill_s: float
    container_start_s: float
    """From a clean stop: start of the guard until the first query is answered."""
    rss_mb: float
    """Of the guard, afterwards."""


class _Asker(threading.Thread):
    """Queries all the time. A failure before the first answer is a server that starts, not one that was taken away."""

    def __init__(self, server: Guarded) -> None:
        super().__init__(daemon=True)
        self._client = server.connect(5.0)
        self._done = threading.Event()
        self.answered = threading.Event()
        self.failed_s: float | None = None
        self.again_s: float | None = None

    def run(self) -> None:
        vector = vectors_of([1], [2], DIMENSIONS)[0]
        while not self._done.is_set():
            asked_s = time.monotonic()
            try:
                self._client.nearest(_NAME, vector, 10)
            except NotServed:
                if self.answered.is_set():
                    self.failed_s = self.failed_s or asked_s
                    self.again_s = None
            else:
                self.answered.set()
                if self.failed_s is not None and self.again_s is None:
                    self.again_s = time.monotonic()
            time.sleep(_ASK_EVERY_S)
        self._client.close()

    def away_s(self) -> float:
        """Wait for the answers to come back, and end."""
        wait_until(lambda: self.failed_s is not None and self.again_s is not None, "queries to be answered", _LIMIT_S)
        self._done.set()
        self.join()
        assert self.failed_s is not None
        assert self.again_s is not None
        return self.again_s - self.failed_s


def measure(folder: Path, vectors: int) -> Away:
    """Fill a guarded store, and take it away in each of the ways."""
    server = Guarded(folder / "restarts", {"CORTEX_DIMENSIONS": str(DIMENSIONS), "HEALTH_START_LIMIT_S": str(_LIMIT_S)})
    server.start()
    try:
        server.wait_ready()
        client = server.connect()
        client.create(_NAME, "l2", DIMENSIONS)
        for first in range(0, vectors, _BATCH_ROWS):
            rows = list(range(first, min(first + _BATCH_ROWS, vectors)))
            ids = [row_id(row) for row in rows]
            client.write(_NAME, ids, vectors_of(rows, [1] * len(rows), DIMENSIONS), ids)
        client.close()
        server.stop()
        open_window(server)
        # The planned restart may come as soon as the first query is answered.
        asker = _Asker(server)
        asker.start()
        started_s = time.monotonic()
        server.start()
        wait_until(asker.answered.is_set, "the first answer after a start", _LIMIT_S)
        container_start_s = time.monotonic() - started_s
        planned_s = asker.away_s()
        server.wait_ready(_LIMIT_S)
        crash_s = _killed(server, Victim.SERVER)
        container_kill_s = _killed(server, Victim.ALL)
        assert server.process is not None
        rss = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Away(vectors, planned_s, crash_s, container_kill_s, container_start_s, rss / 1e6)
    finally:
        server.remove()


def _killed(server: Guarded, victim: Victim) -> float:
    """Kill after a write, and start again what a platform would."""
    client = server.connect()
    client.write(_NAME, ["late"], vectors_of([1], [3], DIMENSIONS), ["late"])
    client.close()
    asker = _Asker(server)
    asker.start()
    wait_until(asker.answered.is_set, "an answer before the kill", _LIMIT_S)
    for pid in server.victims(victim):
        os.kill(pid, signal.SIGKILL)
    if victim is Victim.ALL:
        server.await_end()
        server.start()
    away_s = asker.away_s()
    server.wait_ready(_LIMIT_S)
    return away_s
