"""A small real HTTP server to stand behind the gateway: keeps what arrives, answers what it is told to."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.gateway.waits import free_port


@dataclass(frozen=True)
class Arrived:
    """A request as it came; header names in lower case, in the order they came."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of the one header of this name."""
        values = [value for each, value in self.headers if each == name]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


@dataclass(frozen=True)
class Answer:
    """What to send back."""

    status: int = 200
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


class Backend:
    """The server. `answer` may be replaced at any time."""

    def __init__(self, address: str = "127.0.0.1", port: int | None = None) -> None:
        self.address, self.port = address, port or free_port(address)
        self.arrived: list[Arrived] = []
        self.answer: Callable[[Arrived], Answer] = lambda _: Answer(body={})
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                headers = [(name.lower(), value) for name, value in self.headers.items()]
                request = Arrived(self.command, self.path, headers, self._body())
                with backend._lock:
                    backend.arrived.append(request)
                answer = backend.answer(request)
                body = b"" if answer.body is None else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _body(self) -> bytes:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return body
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def process_request(self, request: Any, client_address: Any) -> None:
                with backend._lock:
                    backend._connections.add(request)
                super().process_request(request, client_address)

            def shutdown_request(self, request: Any) -> None:
                with backend._lock:
                    backend._connections.discard(request)
                super().shutdown_request(request)

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # the gateway broke off; the test looks at what arrived

        self._server = Server((address, self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Drop what has arrived so far."""
        with self._lock:
            self.arrived.clear()

    def stop(self) -> None:
        """Close, kept connections too, as the end of a process does."""
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)


class GuardBackend(Backend):
    """The store's guard: `writable` and `ready` say what it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.writable = self.ready = True
        self.answer = self._judged

    def _judged(self, request: Arrived) -> Answer:
        if request.path == "/writable":
            return Answer(200 if self.writable else 507)
        return Answer(200 if self.ready else 503)
