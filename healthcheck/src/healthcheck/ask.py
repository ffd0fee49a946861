"""Asking the API how it is: one HTTP request over a raw socket, within a deadline."""

import _socket
import time

from healthcheck.decode import json_value

MAX_REPLY_BYTES = 65536
"""An answer of the API has about 200 bytes."""


class Answer:
    """What came back. `problem` says in words why there is no usable answer; then `body` is empty.

    Attributes:
        status: HTTP status code; 0 without an answer.
        body: the decoded JSON object.
        took_ms: from the first step to the last byte, or to the failure.
        problem: empty when all is well.
    """

    __slots__ = ("body", "problem", "status", "took_ms")

    def __init__(self, status: int, body: dict[str, object], took_ms: float, problem: str = "") -> None:
        self.status = status
        self.body = body
        self.took_ms = took_ms
        self.problem = problem


def ask(host: str, port: int, target: str, deadline_s: float) -> Answer:
    """Get the target and decode its JSON, never later than the deadline (`time.monotonic()`)."""
    start_s = time.monotonic()
    status, problem = 0, ""
    body: dict[str, object] = {}
    try:
        status, body = _decoded(_exchange(host, port, target, deadline_s))
    except TimeoutError:
        problem = f"{host}:{port} did not answer in time"
    except ConnectionRefusedError:
        problem = f"nothing listens on {host}:{port}"
    except OSError as error:
        problem = f"{host}:{port}: {error.strerror or error}"
    except ValueError as error:
        problem = f"{host}:{port} answered, but {error}"
    return Answer(status, body, 1e3 * (time.monotonic() - start_s), problem)


def _exchange(host: str, port: int, target: str, deadline_s: float) -> bytes:
    """Send the request and collect the reply until its end, the server's close, or the limit of its size."""
    family = _socket.AF_INET6 if ":" in host else _socket.AF_INET
    connection = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        connection.settimeout(_left(deadline_s))
        connection.connect((host, port))
        shown = f"[{host}]" if ":" in host else host
        request = f"GET {target} HTTP/1.0\r\nHost: {shown}:{port}\r\nUser-Agent: cortex-healthcheck\r\n\r\n"
        connection.settimeout(_left(deadline_s))
        connection.sendall(request.encode())
        reply = b""
        while not _is_whole(reply):
            connection.settimeout(_left(deadline_s))
            part = connection.recv(16384)
            if not part:
                break
            reply += part
            if len(reply) > MAX_REPLY_BYTES:
                raise ValueError(f"with more than {MAX_REPLY_BYTES} bytes: that is not the API")
        return reply
    finally:
        connection.close()


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


def _decoded(reply: bytes) -> tuple[int, dict[str, object]]:
    """Status and JSON object of a reply.

    Raises:
        ValueError: it is not HTTP, or its body is not a JSON object.
    """
    if not reply:
        raise ValueError("closed the connection without a word")
    head, separator, body = reply.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if not separator or not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise ValueError("not with HTTP")
    try:
        decoded = json_value(body.decode().strip())
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise ValueError(f"not with a JSON object (HTTP status {int(words[1])})")  # noqa: TRY004 (bad data, not a bad type)
    return int(words[1]), decoded
