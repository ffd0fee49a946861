"""Chroma's server on a restored store, for as long as a drill asks it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backup.command import Running, environment
from backup.errors import DrillFailed

SERVER_VARIABLE, DEFAULT_SERVER = "BACKUP_SERVER", "python3 -m chroma_server {config}"
"""`{config}` is a file as `chroma run` takes it; `{path}` and `{port}` are the same in it."""
_HOST = "127.0.0.1"
_POLL_S = 0.1
_ANSWER_LIMIT_S = 60.0
_STOP_GRACE_S = 20.0


class Server:
    """A running server. Made by `running`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.last_words = ""

    def ask(self, method: str, path: str, body: object = None, limit_s: float = _ANSWER_LIMIT_S) -> Any:
        """Its answer, decoded.

        Raises:
            DrillFailed: it gives none, or an error.
        """
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=limit_s)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v2{path}", content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise DrillFailed(f"the server does not answer {path.rpartition('/')[2]}: {error!r}") from error
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise DrillFailed(f"{path.rpartition('/')[2]}: HTTP {answer.status}, {text[:300].decode(errors='replace')}")
        return json.loads(text)


@contextlib.contextmanager
def running(path: Path, folder: Path, limit_s: float) -> Iterator[Server]:
    """A server on the store, which answers, until the end of the block.

    Args:
        path: the store.
        folder: for its configuration.
        limit_s: how long it may take to answer.

    Raises:
        DrillFailed: it does not come up.
    """
    port = _free_port()
    config = folder / "server.yaml"
    lines = (f"persist_path: {path}", f"listen_address: {_HOST}", f"port: {port}", "allow_reset: false")
    config.write_text("\n".join(lines) + "\n")
    template = os.environ.get(SERVER_VARIABLE, DEFAULT_SERVER)
    command = [word.format(config=config, path=path, port=port) for word in shlex.split(template)]
    server = Server(port)

    def hear(line: bytes, _stream: str) -> None:
        server.last_words = line.decode(errors="replace")

    kept = {name: value for name, value in os.environ.items() if name in {"PYTHONPATH", "PYTHONSAFEPATH"}}
    process = Running(command, environment(**kept, RUST_LOG="warn", ANONYMIZED_TELEMETRY="False"), hear)
    try:
        deadline_s = time.monotonic() + limit_s
        while not _answers(server):
            if process.ended() is not None or time.monotonic() > deadline_s:
                raise DrillFailed(f"the server does not come up on the restored store: {server.last_words}")
            time.sleep(_POLL_S)
        yield server
    finally:
        process.stop(_STOP_GRACE_S)


def _answers(server: Server) -> bool:
    try:
        server.ask("GET", "/heartbeat", limit_s=1.0)
    except DrillFailed:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        return int(free.getsockname()[1])
