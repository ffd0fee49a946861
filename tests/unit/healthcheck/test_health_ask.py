"""Asking a server that is well, silent, slow, rude and huge: always an answer, always in time."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from healthcheck.ask import Answer, ask

BODY = {"status": "ok", "canary": {"ok": True, "age_s": 3.5}}
Behaviour = Callable[[socket.socket], None]


def http(body: dict[str, object], status: int = 200) -> bytes:
    text = json.dumps(body).encode()
    return (
        f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
    )


def says(reply: bytes, *, keep_open: bool = False) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(reply)
        if keep_open:
            connection.recv(1)

    return behave


def silent(connection: socket.socket) -> None:
    """Answers nothing until the other side gives up."""
    while connection.recv(65536):
        pass


def drips(connection: socket.socket) -> None:
    """A byte at a time, without end: no single wait is long."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def floods(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


@contextlib.contextmanager
def serving(behave: Behaviour) -> Iterator[int]:
    """A TCP server which treats its first connection so; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                behave(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=10)


def asked(behave: Behaviour, limit_s: float = 5.0) -> Answer:
    with serving(behave) as port:
        return ask("127.0.0.1", port, "/healthz", time.monotonic() + limit_s)


@pytest.mark.parametrize("status", [200, 503])
def test_an_answer(status: int) -> None:
    found = asked(says(http(BODY, status)))
    assert (found.status, found.body, found.problem) == (status, BODY, "")
    assert found.took_ms > 0


def test_a_server_that_keeps_the_connection_open_costs_no_time() -> None:
    start_s = time.monotonic()
    assert asked(says(http(BODY), keep_open=True)).status == 200
    assert time.monotonic() - start_s < 2


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (says(b""), "without a word"),
        (says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "not with HTTP"),
        (says(b"\x00\xff" * 100), "not with HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n<html>"), "not with a JSON object (HTTP status 200)"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n[1]"), "not with a JSON object"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n{} {}"), "not with a JSON object"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"a":' * 5000), "not with a JSON object"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), "not with a JSON object"),
        (says(b"HTTP/1.1 abc\r\n\r\n{}"), "not with HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n\xff"), "not with a JSON object"),
        (floods, "more than 65536 bytes"),
    ],
)
def test_what_is_no_answer(behave: Behaviour, words: str) -> None:
    found = asked(behave)
    assert (found.status, found.body) == (200 if "JSON" in words else 0, {})
    assert words in found.problem


@pytest.mark.parametrize("behave", [silent, drips])
def test_the_deadline_holds_for_the_whole(behave: Behaviour) -> None:
    start_s = time.monotonic()
    found = asked(behave, 0.3)
    assert "did not answer in time" in found.problem
    assert 0.25 < time.monotonic() - start_s < 2


def test_what_is_sent_arrives_whole() -> None:
    got: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        got.append(connection.recv(65536))
        connection.sendall(http({}, 201))

    with serving(behave) as port:
        found = ask("127.0.0.1", port, "/x", time.monotonic() + 5, method="POST", send={"a": [1.0]})
    head, _, body = got[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x HTTP/1.0\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body) == {"a": [1.0]}
    assert (found.status, found.problem) == (201, "")


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    assert f"nothing listens on 127.0.0.1:{port}" in ask("127.0.0.1", port, "/", time.monotonic() + 5).problem
