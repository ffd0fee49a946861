"""A download server on loopback that behaves as told: the vendor's stand-in."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tools.host import Host
from tools.versions import Tool


@dataclass
class Server:
    """Files by path, and what was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    breaks_after: dict[str, list[int]] = field(default_factory=dict)
    ranges: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    honours_range: bool = True


def archive_of(names: tuple[str, ...], content: bytes = b"#!/bin/sh\necho stand-in\n") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(f"pulumi/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def publish(server: Server, tool: Tool, host: Host, archive: bytes, *, sum_of: bytes | None = None) -> str:
    """Puts an archive and its checksum list on the server; returns the archive's path."""
    assert tool.release is not None
    path, checksums = tool.release.for_host(host, tool.version)
    name = path.rpartition("/")[2]
    digest = hashlib.sha256(archive if sum_of is None else sum_of).hexdigest()
    server.files[f"/{path}"] = archive
    server.files[f"/{checksums}"] = f"{'0' * 64}  other.tar.gz\n{digest}  {name}\n".encode()
    return f"/{path}"


@contextmanager
def serve() -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_GET(self) -> None:
            server.requests.append(self.path)
            content = server.files.get(self.path)
            if content is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, status = 0, 200
            asked = self.headers.get("Range")
            if asked and server.honours_range:
                server.ranges.append(asked)
                start, status = int(asked.removeprefix("bytes=").rstrip("-")), 206
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
            body = content[start:]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            breaks = server.breaks_after.get(self.path)
            if breaks:
                self.wfile.write(body[: breaks.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
