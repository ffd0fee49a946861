"""Just enough of HTTP/2 to send one request and read its status and body."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
# `:status` of HPACK's static table, as one byte.
_STATUSES = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}


@dataclass(frozen=True)
class Http2Answer:
    """Status (0: none came) and body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def ask(connection: socket.socket, headers: list[tuple[str, str]], body: bytes = b"", stream: int = 1) -> Http2Answer:
    """Send a request on a fresh connection and read its answer.

    Args:
        connection: Agreed on h2.
        headers: With `:method`, `:path` and so on.
        body: Of the request.
        stream: Its number.
    """
    connection.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
    block = b"".join(b"\x00" + _string(name) + _string(value) for name, value in headers)
    connection.sendall(_frame(_HEADERS, _END_HEADERS | (0 if body else _END_STREAM), stream, block))
    if body:
        connection.sendall(_frame(_DATA, _END_STREAM, stream, body))
    status, received = 0, b""
    while True:
        kind, flags, number, payload = _read_frame(connection)
        if kind == _SETTINGS and not flags & _ACK:
            connection.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        elif number == stream and kind == _HEADERS:
            status = _status(payload)
        elif number == stream and kind == _DATA:
            received += payload
        if kind in {_RST, _GOAWAY} or (number == stream and kind in {_HEADERS, _DATA} and flags & _END_STREAM):
            return Http2Answer(status, received)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _string(text: str) -> bytes:
    raw = text.encode()
    assert len(raw) < 127
    return bytes((len(raw),)) + raw


def _read_frame(connection: socket.socket) -> tuple[int, int, int, bytes]:
    head = _read(connection, 9)
    length = int.from_bytes(head[:3], "big")
    return head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, _read(connection, length)


def _read(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = connection.recv(count - len(received))
        assert part, "the connection was closed"
        received += part
    return received


def _status(block: bytes) -> int:
    if block[0] in _STATUSES:
        return _STATUSES[block[0]]
    # Literal with the indexed name `:status`, three digits, not compressed.
    assert block[1] == 3, "compressed"
    return int(block[2:5])
