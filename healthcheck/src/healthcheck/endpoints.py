"""The guard's HTTP endpoints: what an orchestrator, a load balancer and Prometheus ask, without a token.

Nothing here takes a command, and nothing tells names or paths of data.
"""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from healthcheck.board import Snapshot

_CLIENT_LIMIT_S = 5.0
"""A client that does not send its request, or does not take its answer, is left after this."""
_MOST_CLIENTS = 32
_TEXT = "text/plain; charset=utf-8"


class Answer:
    """Status, text, and further headers."""

    __slots__ = ("content_type", "headers", "status", "text")

    def __init__(
        self, status: int, text: str, headers: dict[str, str] | None = None, content_type: str = _TEXT
    ) -> None:
        self.status = status
        self.text = text
        self.headers = headers or {}
        self.content_type = content_type


def answer(target: str, state: Snapshot, turned_at_s: float, now_s: float, metrics: Callable[[], str]) -> Answer:
    """What to say to `GET target`. Pure, but for the metrics.

    Args:
        target: path and query.
        state: the guard's.
        turned_at_s: when its loop last turned, `time.monotonic()`.
        now_s: `time.monotonic()`.
        metrics: makes the text of `/metrics`.
    """
    path, _, query = target.partition("?")
    alive = now_s - turned_at_s < state.live_limit_s
    if path == "/livez":
        return _judged(alive, "alive" if alive else "the guard's loop stands still", state, query)
    if path == "/readyz":
        ready = alive and state.ready
        return _judged(ready, "ready" if ready else _why_not(state), state, query)
    if path == "/startupz":
        return _judged(state.ready_once, "started" if state.ready_once else _why_not(state), state, query)
    if path == "/writable":
        open_ = state.writable.ok
        headers = {} if open_ else {"Retry-After": str(state.writable.retry_after_s)}
        text = "writable" if open_ else f"not writable: {state.writable.reason}"
        return Answer(200 if open_ else HTTPStatus.INSUFFICIENT_STORAGE, text + "\n", headers)
    if path == "/metrics":
        return Answer(200, metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")
    known = "/livez /readyz /startupz (each with ?verbose) /writable /metrics"
    return Answer(404, f"not found; there are {known}\n")


def _judged(good: bool, words: str, state: Snapshot, query: str) -> Answer:
    lines = [words]
    if query.partition("=")[0] == "verbose":
        lines += [f"phase: {state.phase}" + (f": {state.message}" if state.message else "")]
        lines += [judgement.as_line() for judgement in state.judgements]
    return Answer(200 if good else 503, "\n".join(lines) + "\n")


def _why_not(state: Snapshot) -> str:
    return f"not ready: {state.phase}"


class Endpoints:
    """Listens, and answers in threads of its own."""

    def __init__(self, address: tuple[str, int], answer_to: Callable[[str], Answer]) -> None:
        """Bind the address.

        Args:
            address: host and port.
            answer_to: from the request's target to its answer; called in other threads.

        Raises:
            OSError: it cannot be bound.
        """
        self._server = _Server(address, answer_to)
        self._thread = threading.Thread(
            # Nothing is polled: the thread sleeps until somebody connects, and ends with the process.
            target=self._server.serve_forever,
            kwargs={"poll_interval": 86_400},
            name="endpoints",
            daemon=True,
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], answer_to: Callable[[str], Answer]) -> None:
        self.answer_to = answer_to
        self._places = threading.BoundedSemaphore(_MOST_CLIENTS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking the host's name up, which may wait for a name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "guard", self.server_address[1]

    def process_request(self, request: object, client_address: object) -> None:
        """Answer in a thread, or close at once where too many are being answered."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Give the place back at the end."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is nobody's problem."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _CLIENT_LIMIT_S
    server: _Server

    def do_GET(self) -> None:
        """Answer with a body."""
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without."""
        self._send(with_body=False)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing: probes come every few seconds."""

    def version_string(self) -> str:
        """Tell no versions."""
        return "cortex-guard"

    def _send(self, *, with_body: bool) -> None:
        found = self.server.answer_to(self.path)
        body = found.text.encode(errors="replace")
        self.send_response(found.status)
        self.send_header("Content-Type", found.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)
