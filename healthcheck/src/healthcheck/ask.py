"""Asking a server: one HTTP request, and its JSON, never later than a deadline.

Over a plain socket, because a client library's timeout is one for each wait: a server that sends a byte now and then
would hold the guard for ever.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass

MAX_REPLY_BYTES = 65536
"""The answers that the guard asks for have some hundred bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    """HTTP status; 0 when nothing usable came."""
    body: dict[str, object]
    """The JSON object; empty when there was none."""
    took_ms: float
    """From the first step to the last byte, or to the failure."""
    problem: str = ""
    """Why there is no JSON object, in words; empty when all is well."""


def ask(host: str, port: int, target: str, deadline_s: float, *, method: str = "GET", send: object = None) -> Answer:
    """Send a request and decode the JSON object that comes back.

    Args:
        host: an IP address; looking up a name could not be bounded in time.
        port: where it listens.
        target: path and query.
        deadline_s: of `time.monotonic()`.
        method: of HTTP.
        send: sent as JSON, unless it is None.
    """
    start_s = time.monotonic()
    status, problem = 0, ""
    body: dict[str, object] = {}
    try:
        status, text = _status_and_body(_exchange(host, port, _request(host, port, method, target, send), deadline_s))
        body = _object(text, status)
    except TimeoutError:
        problem = f"{host}:{port} did not answer in time"
    except ConnectionRefusedError:
        problem = f"nothing listens on {host}:{port}"
    except OSError as error:
        problem = f"{host}:{port}: {error.strerror or error}"
    except ValueError as error:
        problem = f"{host}:{port} answered, but {error}"
    return Answer(status, body, 1e3 * (time.monotonic() - start_s), problem)


def _request(host: str, port: int, method: str, target: str, send: object) -> bytes:
    """HTTP/1.0, so that the answer is neither chunked nor kept open."""
    shown = f"[{host}]" if ":" in host else host
    lines = [f"{method} {target} HTTP/1.0", f"Host: {shown}:{port}", "User-Agent: cortex-guard"]
    body = b""
    if send is not None:
        body = json.dumps(send).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _exchange(host: str, port: int, request: bytes, deadline_s: float) -> bytes:
    """Send the request and collect the reply until its end, the server's close, or the limit of its size."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as connection:
        connection.settimeout(_left(deadline_s))
        connection.connect((host, port))
        connection.settimeout(_left(deadline_s))
        connection.sendall(request)
        reply = b""
        while not _is_whole(reply):
            connection.settimeout(_left(deadline_s))
            part = connection.recv(16384)
            if not part:
                break
            reply += part
            if len(reply) > MAX_REPLY_BYTES:
                raise ValueError(f"with more than {MAX_REPLY_BYTES} bytes: that is not the server")
        return reply


def _left(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _is_whole(reply: bytes) -> bool:
    """Whether the announced length is there, so that a server which keeps the connection open costs no time."""
    head, separator, body = reply.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False


def _status_and_body(reply: bytes) -> tuple[int, bytes]:
    """Take the reply apart.

    Raises:
        ValueError: it is not HTTP.
    """
    if not reply:
        raise ValueError("closed the connection without a word")
    head, separator, body = reply.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if not separator or not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise ValueError("not with HTTP")
    return int(words[1]), body


def _object(text: bytes, status: int) -> dict[str, object]:
    """The JSON object.

    Raises:
        ValueError: it is none.
    """
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise ValueError(f"not with a JSON object (HTTP status {status})")  # noqa: TRY004 (bad data, not a bad type)
    return decoded
