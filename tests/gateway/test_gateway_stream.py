"""A streamed load: the answer comes while the body still goes on, for longer than any other request may take."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from infra.gateway.gateway import Guard, Server, SingleNode
from infra.gateway.limits import Patience
from tests.gateway.conftest import TOKENS
from tests.gateway.raw import connect
from tests.gateway.running import ADDRESS, Running

STREAM = "/v1/collections/notes/documents/stream"
PATIENCE = Patience(request_s=1, sender_s=3, idle_s=1, queue_s=1, answer_s=3)
PIECES = 8


class Echo(threading.Thread):
    """Answers each chunk with a chunk, as soon as it is there."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._door = socket.create_server((ADDRESS, 0))
        self.port = self._door.getsockname()[1]
        self.start()

    def run(self) -> None:
        connection, _ = self._door.accept()
        with connection, connection.makefile("rb") as received:
            while received.readline() != b"\r\n":
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while size := int(received.readline(), 16):
                piece = received.read(size)
                received.readline()
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            connection.sendall(b"0\r\n\r\n")

    def stop(self) -> None:
        self._door.close()
        self.join(5)


@pytest.fixture
def streamed(haproxy, certificate, tmp_path):
    """A gateway in front of an API that echoes."""
    echo = Echo()
    topology = SingleNode(Server(ADDRESS, echo.port, slots=4), Guard(ADDRESS, 9))
    running = Running(tmp_path, topology, TOKENS, certificate, patience=PATIENCE)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        echo.stop()


def test_each_piece_is_answered_before_the_next_is_sent(streamed):
    started = time.monotonic()
    with connect(streamed.gateway.doors.tls_port, streamed.trusting()) as connection, connection.makefile("rb") as got:
        head = f"POST {STREAM} HTTP/1.1\r\nHost: x\r\nx-chroma-token: write-token\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        for number in range(PIECES):
            piece = b"line %d\n" % number
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            if number == 0:
                assert got.readline() == b"HTTP/1.1 200 OK\r\n"
                while got.readline() != b"\r\n":
                    pass
            assert int(got.readline(), 16) == len(piece)
            assert got.read(len(piece)) == piece
            got.readline()
            time.sleep(0.6)
        connection.sendall(b"0\r\n\r\n")
        assert got.readline() == b"0\r\n"
    # Longer than what bounds a request that is not streamed.
    assert time.monotonic() - started > max(PATIENCE.request_s, PATIENCE.sender_s, PATIENCE.answer_s)
