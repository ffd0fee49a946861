"""Bodies that are too large, of unknown length, or slow: refused, bounded, and in nobody's way."""

from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace

import httpx
import psutil
import pytest

from infra.gateway.gateway import ClientServer, Guard, Replicas, Server
from infra.gateway.limits import MIB, Allowance, Patience
from tests.gateway.backend import Answer, Backend
from tests.gateway.conftest import TOKENS
from tests.gateway.raw import connect, receive, request, send
from tests.gateway.running import ADDRESS, Running
from tests.gateway.waits import wait_until

ID = "0d5c2a52-3b5e-4a52-9f0e-6f6f3c1a7b11"
COLLECTION = f"/api/v2/tenants/t-1/databases/d-1/collections/{ID}"
UPSERT = f"{COLLECTION}/upsert"
STREAM = "/v1/collections/notes/documents/stream"
TOKEN = "x-chroma-token: write-token"
BODY_BYTES = MIB


@pytest.fixture(scope="module")
def strict(haproxy, certificate, tmp_path_factory):
    """A gateway with small limits and little patience; one slot in front of Chroma."""
    api, chroma = Backend(), Backend()
    topology = ClientServer(
        Replicas(ADDRESS, api.port, slots=4, most=2),
        Server(ADDRESS, chroma.port, slots=1, queue=2),
        Guard(ADDRESS, chroma.port),
    )
    allowance = Allowance(body_bytes=BODY_BYTES)
    patience = Patience(request_s=1, sender_s=2, idle_s=2, queue_s=2, restart_s=2, answer_s=5)
    folder = tmp_path_factory.mktemp("strict")
    running = Running(folder, topology, TOKENS, certificate, allowance=allowance, patience=patience)
    try:
        running.start()
        yield SimpleNamespace(running=running, api=api, chroma=chroma)
    finally:
        running.stop()
        api.stop()
        chroma.stop()


def arrived(backend, path):
    return [each for each in backend.arrived if each.path == path]


def test_a_body_over_the_limit_is_refused_unread(strict):
    strict.chroma.forget()
    with strict.running.client("write-token") as client:
        within = client.post(UPSERT, content=b"x" * BODY_BYTES)
        over = client.post(UPSERT, content=b"x" * (BODY_BYTES + 1))
        far_over = client.post(UPSERT, content=b"x" * (60 * BODY_BYTES))
        to_api = client.post("/v1/collections/notes/documents", content=b"x" * (BODY_BYTES + 1))
    assert within.status_code == 200
    for refused in (over, far_over, to_api):
        assert refused.status_code == 413
        assert refused.json()["type"] == "urn:cortex:problem:body-too-large"
    assert [len(each.body) for each in arrived(strict.chroma, UPSERT)] == [BODY_BYTES]


def test_a_body_of_unknown_length_is_for_streamed_loads_only(strict):
    strict.chroma.forget()
    strict.api.forget()
    with strict.running.client("write-token") as client:
        refused = client.post(UPSERT, content=iter([b"x" * 10]))
        streamed = client.post(STREAM, content=iter([b"x" * BODY_BYTES] * 3))
    assert refused.status_code == 411
    assert not arrived(strict.chroma, UPSERT)
    assert streamed.status_code == 200
    assert [len(each.body) for each in arrived(strict.api, STREAM)] == [3 * BODY_BYTES]


def test_a_slow_header_is_not_waited_for(strict):
    started = time.monotonic()
    running = strict.running
    with connect(running.gateway.doors.tls_port, running.trusting()) as connection:
        connection.sendall(b"GET /api/v2/heartbeat HTTP/1.1\r\nHost: localhost\r\n")
        answer = receive(connection)
    assert answer.status == 408
    assert time.monotonic() - started < 5


def test_a_slow_body_takes_no_slot_in_front_of_chroma(strict):
    running = strict.running
    strict.chroma.forget()
    with connect(running.gateway.doors.tls_port, running.trusting()) as connection:
        connection.sendall(request(f"POST {UPSERT} HTTP/1.1", TOKEN, "Content-Length: 100", body=b"x"))
        with running.client("read-token") as client:
            started = time.monotonic()
            assert client.get("/api/v2/heartbeat").status_code == 200
            took_s = time.monotonic() - started
        answer = receive(connection)
    assert took_s < 1, "waited behind the slow sender"
    assert answer.status == 408
    assert '"urn:cortex:problem:too-slow"' in answer.text
    assert not arrived(strict.chroma, UPSERT)


def test_a_large_body_that_stops_is_given_up(strict):
    running = strict.running
    with connect(running.gateway.doors.tls_port, running.trusting()) as connection:
        connection.sendall(request(f"POST {UPSERT} HTTP/1.1", TOKEN, f"Content-Length: {BODY_BYTES}"))
        connection.sendall(b"x" * (BODY_BYTES // 2))
        started = time.monotonic()
        receive(connection)
    assert time.monotonic() - started < 10
    with running.client("read-token") as client:
        assert client.get("/api/v2/heartbeat").status_code == 200


def test_an_answer_may_take_longer_than_a_sender_may(strict):
    patience = strict.running.gateway.patience
    answer_s = 3.5
    assert max(patience.sender_s, patience.request_s, patience.idle_s) < answer_s < patience.answer_s
    strict.chroma.answer = lambda _: (time.sleep(answer_s), Answer(body={}))[1]
    try:
        with strict.running.client("write-token") as client:
            assert client.post(UPSERT, content=b"x").status_code == 200
    finally:
        strict.chroma.answer = lambda _: Answer(body={})


def test_the_queue_is_bounded_in_time_and_length(strict):
    """One request is served; two may wait, for two seconds; the others are told at once when to come again."""
    strict.chroma.forget()
    release = threading.Event()
    strict.chroma.answer = lambda _: (release.wait(20), Answer(body={}))[1]
    answers: list[httpx.Response] = []

    def ask() -> None:
        with strict.running.client("read-token") as client:
            answers.append(client.get("/api/v2/version"))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    try:
        threads[0].start()
        wait_until(lambda: bool(arrived(strict.chroma, "/api/v2/version")), "the first to arrive")
        for thread in threads[1:]:
            thread.start()
            time.sleep(0.1)
        wait_until(lambda: len(answers) == 5, "everybody but the first to be answered", 15)
    finally:
        release.set()
        for thread in threads:
            if thread.ident:
                thread.join(20)
        strict.chroma.answer = lambda _: Answer(body={})
    refused = [each for each in answers if each.status_code == 503]
    assert len(refused) == 5
    assert {each.json()["type"] for each in refused} == {"urn:cortex:problem:busy", "urn:cortex:problem:unavailable"}
    assert all(int(each.headers["retry-after"]) >= 1 for each in refused)
    assert len(arrived(strict.chroma, "/api/v2/version")) == 1


def test_many_connections_do_not_take_much_memory(strict):
    running = strict.running
    assert running.process is not None
    before = _resident_bytes(running.process.pid)
    held = []
    try:
        for number in range(300):
            connection = connect(running.gateway.doors.plain_port)
            connection.sendall(b"POST " + UPSERT.encode() + b" HTTP/1.1\r\nHost: x\r\n")
            held.append(connection)
            assert number < 300
        with running.client("read-token") as client:
            assert client.get("/api/v2/heartbeat").status_code == 200
        grown = _resident_bytes(running.process.pid) - before
    finally:
        for connection in held:
            connection.close()
    assert grown < 300 * 3 * running.gateway.buffers.bytes_each


def test_more_connections_than_an_address_may_have_are_closed(haproxy, certificate, tmp_path):
    chroma = Backend()
    topology = ClientServer(
        Replicas(ADDRESS, chroma.port, slots=4, most=2), Server(ADDRESS, chroma.port, slots=1), Guard(ADDRESS, 9)
    )
    running = Running(
        tmp_path,
        topology,
        TOKENS,
        certificate,
        allowance=Allowance(
            connections_per_address=5,
            requests_per_s_per_address=30,
            requests_per_s_per_token=2,
            guesses_per_address=3,
        ),
    )
    try:
        running.start()
        port = running.gateway.doors.plain_port
        held = [connection for _ in range(8) if (connection := _connected(port))]
        still_open = sum(not _is_closed(connection) for connection in held)
        for connection in held:
            connection.close()
        assert still_open == 5
        wait_until(lambda: _has_room(port), "the gateway to see that they were closed")

        def statuses(token: str, count: int) -> list[int]:
            with running.client(token) as client:
                return [client.get("/api/v2/heartbeat").status_code for _ in range(count)]

        # Two a second for a token, as a mean of ten seconds; another token is not concerned.
        assert statuses("read-token", 25) == [200] * 20 + [429] * 5
        assert statuses("write-token", 1) == [200]
        assert statuses("guess", 5) == [401] * 3 + [429] * 2
        assert statuses("admin-token", 1) == [200]
        with running.client("admin-token") as client:
            answers = [client.get("/docs") for _ in range(300)]
        assert answers[-1].status_code == 429
        assert answers[-1].json()["type"] == "urn:cortex:problem:too-many-requests"
        assert answers[-1].headers["retry-after"] == "1"
    finally:
        running.stop()
        chroma.stop()


def _connected(port: int) -> socket.socket | None:
    try:
        return connect(port)
    except ConnectionError:
        return None


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(1)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def _has_room(port: int) -> bool:
    connection = _connected(port)
    if connection is None:
        return False
    with connection:
        return not _is_closed(connection)


def _resident_bytes(pid: int) -> int:
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children()))


def test_what_is_no_http_is_refused(strict):
    running = strict.running
    strict.chroma.forget()
    for bytes_sent in (b"NOT HTTP\r\n\r\n", b"\x00" * 100, b"GET /\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"):
        answer = send(running.gateway.doors.tls_port, bytes_sent, running.trusting())
        assert answer.status in {0, 400, 401, 404, 408}
    assert not strict.chroma.arrived or {each.path for each in strict.chroma.arrived} <= {"/readyz", "/writable"}
