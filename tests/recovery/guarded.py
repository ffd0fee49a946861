"""The API, and `chroma run`, under the guard as bare processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.recovery.clients import TIMEOUT_S, ChromaClient, Client
from tests.recovery.servers import CHROMA, READY_LIMIT_S, Api, Victim, free_port, wait_until


class Guarded(Api):
    """The API under the guard, as in its container."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, environment)
        self.guard_port = free_port()
        self.guard_url = f"http://127.0.0.1:{self.guard_port}"
        self._state_file = folder / "health.json"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "healthcheck.guard", "--", *self.server_command()]

    def server_command(self) -> list[str]:
        """What the guard starts."""
        return super().command()

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "HEALTH_SERVER": "api",
            "HEALTH_SCHEMA_COMMAND": f"{sys.executable} -m cortex_api.schema",
            "HEALTH_URL": f"{self.url}/healthz",
            "HEALTH_LISTEN": f"127.0.0.1:{self.guard_port}",
            "HEALTH_STATE_PATH": str(self._state_file),
            "HEALTH_STORE_PATH": str(self.store),
            "HEALTH_MEMORY_PERCENT": "100",  # of the whole machine here; what else runs on it is no fault of this store
            "HEALTH_DISK_PERCENT": "100",
            "HEALTH_CRASH_WINDOW_S": "1",  # every kill here is meant
            "HEALTH_MAINTENANCE": "never",
            "HEALTH_SCRUB_INTERVAL_S": "0",
            **self.extra,
        }

    def ready(self) -> bool:
        return self._answers(self.guard_port, "/readyz")

    def state(self) -> dict[str, Any]:
        """What the guard says of itself; empty before it said anything."""
        try:
            return dict(json.loads(self._state_file.read_text()))
        except (FileNotFoundError, ValueError):
            return {}

    def server_pid(self) -> int | None:
        """The server's process, as the guard tells it."""
        return (self.state().get("server") or {}).get("pid")

    def wait_server_other_than(self, pid: int, limit_s: float = READY_LIMIT_S) -> None:
        """Wait until the guard has started another server than the one with `pid`."""
        wait_until(
            lambda: self.exit_code() is not None or self.server_pid() not in {None, pid},
            "the guard to start a server",
            limit_s,
        )

    def start(self) -> None:
        self._state_file.unlink(missing_ok=True)  # a container starts with an empty one
        super().start()

    def victims(self, victim: Victim) -> list[int]:
        assert self.process is not None
        server = self.server_pid()
        if victim is Victim.GUARD or server is None:
            return [self.process.pid]
        return [server] if victim is Victim.SERVER else [self.process.pid, server]


class GuardedChroma(Guarded):
    """`chroma run` under the guard."""

    def server_command(self) -> list[str]:
        return [sys.executable, str(CHROMA), "run", "--path", str(self.store), "--port", str(self.port)]

    def environment(self) -> dict[str, str]:
        mine = super().environment()
        del mine["HEALTH_SCHEMA_COMMAND"]
        return {**mine, "HEALTH_SERVER": "chroma", "HEALTH_URL": f"{self.url}/api/v2/heartbeat", **self.extra}

    def connect(self, timeout_s: float = TIMEOUT_S) -> Client:
        return ChromaClient(self.url, timeout_s)
