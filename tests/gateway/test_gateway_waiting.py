"""A restart and a kill of Chroma under busy callers: they wait, none of them fails."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from infra.gateway.gateway import ClientServer, Guard, Replicas, Server
from infra.gateway.limits import Patience
from tests.gateway.chroma import Chroma
from tests.gateway.conftest import TOKENS
from tests.gateway.load import callers
from tests.gateway.running import ADDRESS, Running
from tests.gateway.waits import free_port, wait_until

COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
DIMENSIONS = 8
DOWN_S = 1.0


@pytest.fixture(scope="module")
def real(haproxy, certificate, tmp_path_factory):
    """A gateway in front of a real Chroma with one collection, whose id is `collection`."""
    folder = tmp_path_factory.mktemp("waiting")
    chroma = Chroma(folder / "chroma")
    topology = ClientServer(
        Replicas(ADDRESS, free_port(), slots=4, most=2), Server(ADDRESS, chroma.port, slots=4), Guard(ADDRESS, 9)
    )
    # A busy machine starts Chroma slowly; what is tried here is not how fast.
    patience = Patience(queue_s=60, restart_s=60)
    running = Running(folder / "gateway", topology, TOKENS, certificate, patience=patience)
    try:
        chroma.start()
        running.start()
        with running.client("admin-token") as client:
            made = client.post(COLLECTIONS, json={"name": "under-load"})
            collection = made.json()["id"]
            # Chroma may answer 500 ("Nothing found on disk") to a query beside the very first write of a collection.
            for method, path, body in map(repeatable(collection), range(4)):
                assert client.request(method, path, content=body).is_success
        yield SimpleNamespace(chroma=chroma, running=running, collection=collection)
    finally:
        running.stop()
        chroma.stop()


def repeatable(collection: str):
    """Queries, reads, counts and upserts in turn."""

    def request(number: int) -> tuple[str, str, bytes | None]:
        base = f"{COLLECTIONS}/{collection}"
        vector = [float(number % 7 + each) for each in range(DIMENSIONS)]
        kind = number % 4
        if kind == 0:
            record = {"ids": [f"id-{number % 50}"], "embeddings": [vector], "documents": [f"text {number}"]}
            return "POST", f"{base}/upsert", json.dumps(record).encode()
        if kind == 1:
            return "POST", f"{base}/query", json.dumps({"query_embeddings": [vector], "n_results": 3}).encode()
        if kind == 2:
            return "POST", f"{base}/get", json.dumps({"limit": 5}).encode()
        return "GET", f"{base}/count", None

    return request


def adding(collection: str):
    """Additions: sent twice, a row that was deleted meanwhile would come back."""

    def request(number: int) -> tuple[str, str, bytes | None]:
        record = {"ids": [f"added-{number}"], "embeddings": [[1.0] * DIMENSIONS]}
        return "POST", f"{COLLECTIONS}/{collection}/add", json.dumps(record).encode()

    return request


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_makes_callers_wait_and_none_of_them_fail(real, how):
    running, chroma = real.running, real.chroma
    with callers(running.url, running.trusting(), "write-token", repeatable(real.collection)) as told:
        wait_until(lambda: len(told.took_s) > 50, "requests before")
        getattr(chroma, how)()
        time.sleep(DOWN_S)
        chroma.start()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 50, "requests after")
    print(f"{how}: {len(told.took_s)} requests, longest {told.longest_s:.1f} s, {told.by_path}")
    assert told.failed == []
    assert told.longest_s < running.gateway.patience.queue_s + running.gateway.patience.restart_s


def test_what_may_not_be_repeated_is_told_and_nothing_acknowledged_is_lost(real):
    running, chroma = real.running, real.chroma
    with callers(running.url, running.trusting(), "write-token", adding(real.collection)) as told:
        wait_until(lambda: len(told.took_s) > 50, "requests before")
        chroma.kill()
        time.sleep(DOWN_S)
        chroma.start()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 50, "requests after")
    print(f"kill under additions: {len(told.took_s)} requests, {len(told.failed)} of them told of the loss")
    # What was at the server in that moment, and what took its place before the server had closed its door.
    assert len(told.failed) <= 2 * running.gateway.topology.chroma.slots
    assert all("502" in each and "server-lost" in each for each in told.failed)
    with running.client("read-token") as client:
        stored = client.post(f"{COLLECTIONS}/{real.collection}/get", json={"include": [], "limit": 10_000}).json()
    added = [each for each in stored["ids"] if each.startswith("added-")]
    assert len(added) >= len(told.took_s) - len(told.failed)


def test_a_server_that_stays_away_ends_the_waiting(haproxy, certificate, tmp_path):
    """After the time that a restart may take, callers are told to come again later."""
    topology = ClientServer(
        Replicas(ADDRESS, free_port(), slots=4, most=2), Server(ADDRESS, free_port(), slots=1), Guard(ADDRESS, 9)
    )
    running = Running(tmp_path, topology, TOKENS, certificate, patience=Patience(queue_s=2, restart_s=2))
    try:
        running.start()
        with running.client("read-token") as client:
            started = time.monotonic()
            answer = client.get("/api/v2/heartbeat")
            took_s = time.monotonic() - started
    finally:
        running.stop()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert 1.5 < took_s < 6
