"""Replicas come, go and die, and Chroma comes back elsewhere: the configuration stays, and no request fails."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

import pytest

from infra.gateway.gateway import ClientServer, Guard, Replicas, Server
from infra.gateway.limits import Patience
from tests.gateway.backend import Answer, Backend
from tests.gateway.conftest import TOKENS
from tests.gateway.load import callers
from tests.gateway.names import Names
from tests.gateway.running import Running
from tests.gateway.waits import free_port, wait_until

WORK_S = 0.01
DOCUMENTS = "/v1/collections/notes/documents"


class Replica(Backend):
    """An API replica: answers its address, and says when it is about to stop."""

    def __init__(self, address: str, port: int) -> None:
        super().__init__(address, port)
        self.stopping = False
        self.answer = self._served

    def _served(self, request) -> Answer:
        if request.path == "/healthz":
            return Answer(503 if self.stopping else 200)
        time.sleep(WORK_S)
        return Answer(body={"by": self.address})

    def count(self) -> int:
        return sum(each.path != "/healthz" for each in self.arrived)


@pytest.fixture
def named(haproxy, certificate, tmp_path):
    """A gateway that finds API and Chroma by name: `make(api port, chroma port)`."""
    names = Names({})
    started: list[Running] = []

    def make(api_port: int, chroma_port: int) -> tuple[Running, Names]:
        topology = ClientServer(
            Replicas("api.test", api_port, slots=8, most=6),
            Server("chroma.test", chroma_port, slots=4),
            Guard("chroma.test", 9),
        )
        patience = Patience(restart_s=20, queue_s=20)
        running = Running(
            tmp_path / "gateway", topology, TOKENS, certificate, name_servers=(names.at,), patience=patience
        )
        started.append(running)
        running.start()
        return running, names

    yield make
    for running in started:
        running.stop()
    names.stop()


def write_or_read(number: int) -> tuple[str, str, bytes | None]:
    """Requests that may not be repeated, and such that may."""
    body = json.dumps({"number": number}).encode()
    return "POST", f"{DOCUMENTS}/delete" if number % 2 else DOCUMENTS, body


def upsert(_: int) -> tuple[str, str, bytes | None]:
    """May be repeated."""
    return "POST", DOCUMENTS, b"{}"


def version(_: int) -> tuple[str, str, bytes | None]:
    """Chroma's."""
    return "GET", "/api/v2/version", None


def test_two_four_two_replicas_and_one_killed(named):
    port = free_port()
    replicas = {f"127.0.0.{each}": Replica(f"127.0.0.{each}", port) for each in (2, 3)}
    running, names = named(port, free_port())
    try:
        names.addresses["api.test"] = list(replicas)
        with running.client("read-token") as client:
            wait_until(lambda: client.get("/v1/status").status_code == 200, "the replicas to be found")
        with callers(running.url, running.trusting(), "write-token", write_or_read) as told:
            wait_until(lambda: all(each.count() > 5 for each in replicas.values()), "both to work")

            for each in (4, 5):
                replicas[f"127.0.0.{each}"] = Replica(f"127.0.0.{each}", port)
            names.addresses["api.test"] = list(replicas)
            wait_until(lambda: all(each.count() > 5 for each in replicas.values()), "all four to work")

            leaving = [replicas.pop(f"127.0.0.{each}") for each in (2, 3)]
            for replica in leaving:
                replica.stopping = True
            counts = Counter({replica.address: -1 for replica in leaving})

            def drained() -> bool:
                before = dict(counts)
                counts.update({replica.address: replica.count() - counts[replica.address] for replica in leaving})
                time.sleep(1)
                return before == dict(counts)

            wait_until(drained, "nothing new to arrive at those that are leaving")
            names.addresses["api.test"] = list(replicas)
            for replica in leaving:
                replica.stop()

            done = len(told.took_s)
            wait_until(lambda: len(told.took_s) > done + 100, "the two that stay to work")
        assert told.failed == []
        assert len(told.took_s) > 200
        print("2-4-2:", len(told.took_s), "requests, longest", round(told.longest_s, 3), "s")
    finally:
        for replica in replicas.values():
            replica.stop()


def test_a_killed_replica_costs_nothing_that_may_be_repeated(named):
    """It is gone without a word, while its name still has its address."""
    port = free_port()
    replicas = [Replica(f"127.0.0.{each}", port) for each in (2, 3)]
    running, names = named(port, free_port())
    try:
        names.addresses["api.test"] = [each.address for each in replicas]
        with running.client("read-token") as client:
            wait_until(lambda: client.get("/v1/status").status_code == 200, "the replicas to be found")
        with callers(running.url, running.trusting(), "write-token", upsert) as told:
            wait_until(lambda: all(each.count() > 20 for each in replicas), "both to work")
            replicas.pop().stop()
            done = len(told.took_s)
            wait_until(lambda: len(told.took_s) > done + 100, "the other to work")
        assert told.failed == []
    finally:
        for replica in replicas:
            replica.stop()


def test_a_chroma_that_has_no_address_yet_is_waited_for(named):
    """As after a reload while its container is being replaced."""
    port = free_port()
    running, names = named(free_port(), port)
    with callers(running.url, running.trusting(), "read-token", version, count=2) as told:
        time.sleep(1.5)
        assert told.took_s == []
        chroma = Backend("127.0.0.2", port)
        names.addresses["chroma.test"] = [chroma.address]
        wait_until(lambda: len(told.took_s) > 20, "the callers to be served")
    chroma.stop()
    assert told.failed == []


def test_chroma_that_comes_back_at_another_address_is_found(named):
    """As when its container is replaced: callers wait in the queue and do not fail."""
    port = free_port()
    first = Backend("127.0.0.2", port)
    running, names = named(free_port(), port)
    names.addresses["chroma.test"] = [first.address]
    with running.client("read-token") as client:
        wait_until(lambda: client.get("/api/v2/heartbeat").status_code == 200, "Chroma to be found")
    second: list[Backend] = []

    def come_back() -> None:
        names.addresses["chroma.test"] = []
        first.stop()
        time.sleep(2)
        second.append(Backend("127.0.0.3", port))
        names.addresses["chroma.test"] = ["127.0.0.3"]

    moving = threading.Thread(target=come_back)
    try:
        with callers(running.url, running.trusting(), "read-token", version) as told:
            wait_until(lambda: len(told.took_s) > 20, "the first to work")
            moving.start()
            wait_until(lambda: bool(second) and len(second[0].arrived) > 20, "the second to work")
        assert told.failed == []
        print("moved:", len(told.took_s), "requests, longest", round(told.longest_s, 3), "s")
    finally:
        moving.join(10)
        for backend in second:
            backend.stop()
