"""Chroma on another host under busy callers: a restart or kill of it, or of the door in front of it, is waited for."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from infra.gateway.limits import Patience
from tests.gateway.chroma import Chroma
from tests.gateway.far import SLOTS, an_authority, door_of, gateway_of, signed
from tests.gateway.load import callers
from tests.gateway.running import ADDRESS
from tests.gateway.test_gateway_waiting import COLLECTIONS, DOWN_S, adding, repeatable
from tests.gateway.waits import free_port, wait_until

# A busy machine starts Chroma slowly; what is tried here is not how fast.
PATIENCE = Patience(queue_s=60, restart_s=60)


@pytest.fixture(scope="module")
def real(haproxy, certificate, tmp_path_factory):
    """A gateway and a store door in front of a real Chroma with one collection, whose id is `collection`."""
    folder = tmp_path_factory.mktemp("far-waiting")
    authority = an_authority()
    chroma = Chroma(folder / "chroma")
    door = door_of(folder / "door", signed(authority, folder), chroma.port, free_port(), patience=PATIENCE)
    running = gateway_of(folder / "gateway", certificate, door, authority.certificate, free_port(), patience=PATIENCE)
    try:
        chroma.start()
        door.start()
        running.start()
        with running.client("admin-token") as client:
            collection = client.post(COLLECTIONS, json={"name": "under-load"}).json()["id"]
            for method, path, body in map(repeatable(collection), range(4)):
                assert client.request(method, path, content=body).is_success
        yield SimpleNamespace(chroma=chroma, door=door, running=running, collection=collection)
    finally:
        running.stop()
        door.stop()
        chroma.stop()


def test_a_kill_of_chroma_makes_callers_wait_and_none_of_them_fail(real):
    running, chroma = real.running, real.chroma
    with callers(running.url, running.trusting(), "write-token", repeatable(real.collection)) as told:
        wait_until(lambda: len(told.took_s) > 50, "requests before")
        chroma.kill()
        time.sleep(DOWN_S)
        chroma.start()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 50, "requests after")
    print(f"kill: {len(told.took_s)} requests, longest {told.longest_s:.1f} s, {told.by_path}")
    assert told.failed == []


@contextmanager
def published_by_nobody(port: int) -> Iterator[None]:
    """A port that Docker publishes for a container in which nobody listens: it accepts, then breaks off."""
    stop = threading.Event()
    with socket.create_server((ADDRESS, port), reuse_port=False) as listener:
        listener.settimeout(0.05)

        def accept() -> None:
            while not stop.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.close()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield
        finally:
            stop.set()
            accepting.join(5)


def test_a_door_that_is_published_before_it_listens_is_waited_for(real):
    running, door = real.running, real.door
    with callers(running.url, running.trusting(), "write-token", repeatable(real.collection)) as told:
        wait_until(lambda: len(told.took_s) > 50, "requests before")
        door.kill()
        with published_by_nobody(door.gateway.doors.tls_port):
            time.sleep(2 * DOWN_S)
        door.start()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 50, "requests after")
    assert told.failed == []


@pytest.mark.parametrize("how", ["end", "kill"])
def test_a_restart_of_the_door_makes_callers_wait_and_none_of_them_fail(real, how):
    running, door = real.running, real.door
    with callers(running.url, running.trusting(), "write-token", repeatable(real.collection)) as told:
        wait_until(lambda: len(told.took_s) > 50, "requests before")
        getattr(door, how)()
        time.sleep(DOWN_S)
        door.start()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 50, "requests after")
    print(f"door, {how}: {len(told.took_s)} requests, longest {told.longest_s:.1f} s, {told.by_path}")
    assert told.failed == []


def test_a_reload_of_the_door_costs_no_request_that_may_not_be_repeated(real):
    running = real.running
    with callers(running.url, running.trusting(), "write-token", adding(real.collection)) as told:
        wait_until(lambda: len(told.took_s) > 50, "requests before")
        real.door.reload()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 50, "requests after")
    assert told.failed == []


def test_what_may_not_be_repeated_is_told_and_nothing_acknowledged_is_lost(real):
    running, chroma = real.running, real.chroma
    with running.client("admin-token") as client:
        collection = client.post(COLLECTIONS, json={"name": "added-to"}).json()["id"]
    with callers(running.url, running.trusting(), "write-token", adding(collection)) as told:
        wait_until(lambda: len(told.took_s) > 50, "requests before")
        chroma.kill()
        time.sleep(DOWN_S)
        chroma.start()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 50, "requests after")
    print(f"kill under additions: {len(told.took_s)} requests, {len(told.failed)} of them told of the loss")
    assert len(told.failed) <= 2 * SLOTS
    assert all("502" in each and "server-lost" in each for each in told.failed)
    with running.client("read-token") as client:
        stored = client.post(f"{COLLECTIONS}/{collection}/get", json={"include": [], "limit": 10_000}).json()
    assert len(stored["ids"]) >= len(told.took_s) - len(told.failed)
