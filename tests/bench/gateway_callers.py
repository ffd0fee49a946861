"""Callers that keep a connection and ask again at once; cheap, so that what they measure is not themselves."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

LIMIT_S = 60.0
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class Door:
    """Where to ask.

    Attributes:
        name: For the reader.
        port: On this machine.
        trust: Whom to trust; None for plain HTTP.
        token: What to show; empty for nothing.
    """

    name: str
    port: int
    trust: ssl.SSLContext | None = None
    token: str = ""

    def connect(self) -> socket.socket:
        """A connection, TLS agreed on."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain if self.trust is None else self.trust.wrap_socket(plain, server_hostname="localhost")

    def request(self, path: str, body: bytes) -> bytes:
        """A POST as it goes over the wire."""
        head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
        head += [f"Content-Length: {len(body)}", *([f"x-chroma-token: {self.token}"] if self.token else [])]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@dataclass
class Asked:
    """What became of the requests.

    Attributes:
        took_s: Of each good answer.
        failed: What was wrong with the others.
    """

    took_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def ask(door: Door, callers: int, seconds: float, path: str, body: Callable[[int, int], bytes]) -> Asked:
    """Have so many callers ask for so long; every request that was begun counts.

    Args:
        door: Where.
        callers: How many.
        seconds: Until no further request is begun.
        path: Of all requests.
        body: Number of caller and request → body.
    """
    asked, lock = Asked(), threading.Lock()
    start = threading.Barrier(callers)

    def call(caller: int, connection: socket.socket) -> None:
        took_s, failed, number = [], [], 0
        # The first opens what is opened at first use, on either way, and does not count.
        connection.sendall(door.request(path, body(caller, number)))
        _answer(connection)
        start.wait(LIMIT_S)
        ends_s = time.perf_counter() + seconds
        while (began_s := time.perf_counter()) < ends_s:
            number += 1
            sent = door.request(path, body(caller, number))
            began_s = time.perf_counter()
            try:
                connection.sendall(sent)
                wrong = _answer(connection)
            except OSError as error:
                wrong = repr(error)
            if wrong:
                failed.append(wrong)
                break
            took_s.append(time.perf_counter() - began_s)
        with lock:
            asked.took_s += took_s
            asked.failed += failed

    with ExitStack() as held:
        connections = [held.enter_context(door.connect()) for _ in range(callers)]
        threads = [threading.Thread(target=call, args=each) for each in enumerate(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * LIMIT_S + seconds)
    return asked


def _answer(connection: socket.socket) -> str:
    """Read an answer whole; what is wrong with it, empty when nothing is."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        part = connection.recv(CHUNK_BYTES)
        if not part:
            return "the connection was closed"
        received += part
    head = received[:end].decode("latin-1").lower()
    length = head.partition("\r\ncontent-length:")[2].partition("\r\n")[0]
    missing = int(length) - (len(received) - end - 4)
    while missing > 0:
        part = connection.recv(CHUNK_BYTES)
        if not part:
            return "the connection was closed in the middle of an answer"
        missing -= len(part)
        received += part
    status = head.split(maxsplit=2)[1]
    return "" if status in {"200", "201"} else f"{status} {received[end : end + 300]!r}"
