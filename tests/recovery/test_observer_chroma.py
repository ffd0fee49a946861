"""The guard's eyes on a real `chroma run`: what its endpoints hide is seen, judged, and leads to the right decision."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from healthcheck.actions import Action, Phase, Remembered, Restart, RestartReason
from healthcheck.decider import Decider
from healthcheck.judgement import Judgement, Verdict
from healthcheck.judges import Judges
from healthcheck.limits import Limits, ServerKind
from healthcheck.observation import Observation
from healthcheck.observer import Observer

import store
from tests.recovery.servers import Stock

pytestmark = pytest.mark.process
LIMIT_S = 40.0
ROWS, DIMENSIONS = 1_200, 8
HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
database.execute("ROLLBACK")
"""


class Guarding:
    """A guard without hands: it sees, judges and decides, and does nothing."""

    def __init__(self, server: Stock) -> None:
        self.server = server
        self.limits = Limits(
            server=ServerKind.CHROMA,
            url=f"{server.url}/api/v2/heartbeat",
            store_path=str(server.store),
            timeout_s=2.0,
            memory_percent=100,
            disk_percent=100,
            canary_interval_s=0.5,
            canary_max_age_s=30.0,
            wedged_after_s=3.0,
            maintenance="never",
        )
        self.observer = Observer(self.limits)
        self.judges = Judges(self.limits)
        self.decider = Decider(self.limits, Remembered(), random.Random(1))  # noqa: S311 (reproducible)
        self.seen: Observation | None = None
        self.judged: dict[str, Judgement] = {}
        self.decided: list[Action] = []
        self.phase = Phase.STARTING

    def tick(self) -> Observation:
        pid = self.server.process.pid if self.server.process and self.server.exit_code() is None else None
        self.seen = self.observer.observe(pid, self.phase)
        if self.seen.server.ready:
            self.phase = Phase.SERVING
        self.judged = {judgement.name: judgement for judgement in self.judges.judge(self.seen)}
        action = self.decider.decide(self.seen, self.phase)
        if action is not None:
            self.decided.append(action)
        return self.seen

    def until(self, condition: Callable[[], bool], what: str) -> float:
        """Seconds of ticking until it holds."""
        start_s = time.monotonic()
        self.tick()
        while not condition():
            took_s = time.monotonic() - start_s
            assert took_s < LIMIT_S, f"waited {took_s:.0f} s for {what}; saw {self.seen}"
            time.sleep(0.05)
            self.tick()
        return time.monotonic() - start_s

    def ready(self) -> bool:
        return self.seen is not None and self.seen.server.ready

    def verdict(self, name: str) -> Verdict:
        return self.judged[name].verdict

    def restarts(self) -> list[RestartReason]:
        return [action.reason for action in self.decided if isinstance(action, Restart)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store with two collections, stopped."""
    server = Stock(tmp_path_factory.mktemp("filled"))
    subprocess.run([sys.executable, "-m", "cortex_api.schema", str(server.store)], check=True, timeout=60)
    store.prepare(server.store)
    server.start()
    try:
        server.wait_ready()
        client = server.connect()
        vectors = np.random.default_rng(1).random((ROWS, DIMENSIONS), dtype=np.float32)
        for name in ("one", "two"):
            client.create(name, "l2", DIMENSIONS)
            ids = [f"row-{row}" for row in range(ROWS)]
            client.write(name, ids, vectors, ids)
        client.close()
    finally:
        server.stop()
    return server.store


@pytest.fixture
def stock(filled: Path, tmp_path: Path) -> Iterator[Stock]:
    server = Stock(tmp_path / "stock")
    shutil.copytree(filled, server.store, dirs_exist_ok=True)
    yield server
    server.kill()


@pytest.fixture
def guarding(stock: Stock) -> Iterator[Guarding]:
    """Watches a server that has just been started and is ready."""
    stock.start()
    guarding = Guarding(stock)
    guarding.until(lambda: guarding.ready() and guarding.tick().store is not None, "the server and the first look")
    yield guarding
    assert guarding.observer.let_go()
    guarding.observer.close()


def heartbeat(server: Stock) -> int:
    return httpx.get(f"{server.url}/api/v2/heartbeat", timeout=5).status_code


def loaded_files(server: Stock) -> int:
    """Index files that the server has open."""
    assert server.process is not None
    return sum(path.path.endswith(".bin") for path in psutil.Process(server.process.pid).open_files())


def test_a_server_that_is_well(guarding: Guarding) -> None:
    seen = guarding.tick()
    assert seen.store is not None
    assert (seen.store.collections, seen.store.vectors) == (2, 2 * ROWS)
    assert seen.store.vector_bytes == 2 * ROWS * 4 * DIMENSIONS
    assert seen.store.log_rows - 2 * ROWS in {0, 1}, "the look may be older than the first canary"
    assert seen.server.canary is not None
    assert seen.server.canary.ok
    assert seen.server.canary.write_ms
    assert loaded_files(guarding.server) >= 2, "the indexes are loaded before the server counts as ready"
    assert {judgement.verdict for judgement in guarding.judged.values()} == {Verdict.OK}
    assert guarding.decided == []
    names = httpx.get(f"{guarding.server.url}/api/v2/tenants/default_tenant/databases/default_database/collections")
    assert {each["name"] for each in names.json()} == {"one", "two"}, "the canary is in no list of the user's"
    start_s = time.thread_time()
    for _ in range(100):
        guarding.tick()
    assert (time.thread_time() - start_s) / 100 < 0.004, "a tick costs the loop next to nothing"
    guarding.server.kill()
    assert not guarding.tick().server.running
    assert guarding.judged["server"].message == "the process does not run"
    assert guarding.verdict("server") is Verdict.FAILING
    assert guarding.decided == []


def test_a_locked_database_behind_a_heartbeat_that_says_all_is_well(guarding: Guarding) -> None:
    database = guarding.server.store / "chroma.sqlite3"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        guarding.until(lambda: guarding.verdict("sqlite") is Verdict.FAILING, "SQLite to be judged failing")
        assert guarding.verdict("canary") is Verdict.FAILING
        told = f"process {holder.pid} holds the write lock"
        guarding.until(lambda: told in guarding.judged["sqlite"].message, "the holder to be named")
        assert heartbeat(guarding.server) == 200
        guarding.until(lambda: bool(guarding.restarts()), "the decision")
        assert guarding.restarts() == [RestartReason.WEDGED]
    finally:
        holder.communicate()
    guarding.until(lambda: guarding.ready() and guarding.verdict("sqlite") is Verdict.OK, "the recovery")
    assert guarding.restarts() == [RestartReason.WEDGED]


def test_a_server_that_is_stopped_in_its_tracks(guarding: Guarding) -> None:
    assert guarding.server.process is not None
    os.kill(guarding.server.process.pid, signal.SIGSTOP)
    try:
        guarding.until(lambda: bool(guarding.restarts()), "the decision")
        assert guarding.restarts() == [RestartReason.SERVER_HANGS]
        assert "did not answer in time" in guarding.judged["server"].message
    finally:
        os.kill(guarding.server.process.pid, signal.SIGCONT)
    guarding.until(guarding.ready, "the recovery")


def test_an_index_that_cannot_be_loaded_is_told_and_keeps_nobody_from_the_others(stock: Stock) -> None:
    broken = next(iter(sorted(stock.store.glob("*/index_metadata.pickle"))))
    broken.write_bytes(broken.read_bytes()[:50])
    stock.start()
    guarding = Guarding(stock)
    guarding.until(guarding.ready, "the server")
    assert guarding.verdict("server") is Verdict.DEGRADED
    assert "1 indexes could not be loaded" in guarding.judged["server"].message
    assert heartbeat(stock) == 200
    assert guarding.observer.let_go()
    guarding.observer.close()
