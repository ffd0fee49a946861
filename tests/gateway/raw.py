"""Requests byte by byte, for what no client would send."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from dataclasses import dataclass

LIMIT_S = 20.0


@dataclass(frozen=True)
class RawAnswer:
    """The first answer on a connection, and whatever else came."""

    status: int
    text: str


def connect(port: int, context: ssl.SSLContext | None = None, protocols: tuple[str, ...] = ()) -> socket.socket:
    """A connection to this machine; with TLS if a context is given."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
    if context is None:
        return plain
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(plain, server_hostname="localhost")


def send(port: int, request: bytes, context: ssl.SSLContext | None = None) -> RawAnswer:
    """Send bytes, read until the other side closes."""
    with connect(port, context) as connection:
        # It may be answered, and the connection closed, before everything is sent.
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            connection.sendall(request)
        return receive(connection)


def receive(connection: socket.socket, limit_s: float = LIMIT_S) -> RawAnswer:
    """Everything until the other side closes."""
    received, deadline = b"", time.monotonic() + limit_s
    try:
        while time.monotonic() < deadline and (part := connection.recv(65_536)):
            received += part
    except (ConnectionResetError, TimeoutError, ssl.SSLError):
        pass
    text = received.decode("latin-1")
    status = re.match(r"HTTP/1\.1 (\d+)", text)
    return RawAnswer(int(status[1]) if status else 0, text)


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request of HTTP/1.1 that closes its connection; `line` and headers as given."""
    head = [line, "Host: localhost", "Connection: close", *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body
