"""A restart and a kill of Chroma under busy callers: they wait, none of them fails."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

from infra.gateway.gateway import ClientServer, Guard, Replicas, Server
from tests.gateway.chroma import Chroma
from tests.gateway.conftest import TOKENS
from tests.gateway.load import callers
from tests.gateway.running import ADDRESS, Running
from tests.gateway.waits import free_port, wait_until

COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
DIMENSIONS = 8
BEFORE_S, AFTER_S = 0.5, 1.0


@pytest.fixture(scope="module")
def real(haproxy, certificate, tmp_path_factory):
    """A gateway in front of a real Chroma with one collection, whose id is `collection`."""
    folder = tmp_path_factory.mktemp("waiting")
    chroma = Chroma(folder / "chroma")
    topology = ClientServer(
        Replicas(ADDRESS, free_port(), slots=4, most=2), Server(ADDRESS, chroma.port, slots=4), Guard(ADDRESS, 9)
    )
    running = Running(folder / "gateway", topology, TOKENS, certificate)
    try:
        chroma.start()
        running.start()
        with running.client("admin-token") as client:
            made = client.post(COLLECTIONS, json={"name": "under-load"})
        collection = made.json()["id"]
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


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_makes_callers_wait_and_none_of_them_fail(real, how):
    running, chroma = real.running, real.chroma
    with callers(running.url, running.trusting(), "write-token", repeatable(real.collection)) as told:
        time.sleep(BEFORE_S)
        getattr(chroma, how)()
        time.sleep(1.0)
        chroma.start()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 50, "requests after the restart")
        time.sleep(AFTER_S)
    print(how, len(told.took_s), "requests, longest", told.longest_s, told.by_path)
    assert told.failed == []
    assert len(told.took_s) > 100
    assert told.longest_s < running.gateway.patience.restart_s
