"""Real servers as bare processes: what all have in common, stock `chroma run`, and the API without a guard."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

import psutil

from tests.recovery import confine
from tests.recovery.clients import TIMEOUT_S, ChromaClient, Client, CortexClient
from tests.recovery.rows import DIMENSIONS

FILE_LIMIT_BYTES = 2 << 30
"""Chroma was seen to write an index file of 80 GB after a kill in a save; nothing here needs more than this."""
READY_LIMIT_S = 60.0
_POLL_S = 0.02
CHROMA = Path(sys.executable).parent / "chroma"


class NotReady(Exception):  # noqa: N818 -- named after the state
    """A server did not come up."""


class Victim(StrEnum):
    """Whom a kill hits."""

    SERVER = "server"
    GUARD = "guard"
    ALL = "all"
    """Every process at the same moment, as when a container is killed."""


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = READY_LIMIT_S) -> float:
    """Seconds until `condition`.

    Raises:
        NotReady: it did not come within `limit_s`.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > limit_s:
            raise NotReady(f"waited {limit_s:g} s for {what}")
        time.sleep(_POLL_S)
    return time.monotonic() - started


class Server:
    """A process over the store `folder/store`, with its output in `folder/log`."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """Args: folder: to work in; made. environment: variables on top of the process's own and of the defaults."""
        self.folder = folder
        self.store = folder / "store"
        self.store.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.extra = dict(environment or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.confined: list[str] = []
        """Options of confine.py under which it is started."""

    def command(self) -> list[str]:
        """What to start."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Variables of the process; those of the caller's stack do not count."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CORTEX_", "HEALTH_"))}
        return {**kept, "MALLOC_ARENA_MAX": "2", **self.extra}

    def connect(self, timeout_s: float = TIMEOUT_S) -> Client:
        """A new connection."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, in a session of its own, with files limited to `FILE_LIMIT_BYTES`."""
        wrapped = [sys.executable, "-I", "-S", confine.__file__, *self.confined, "--"] if self.confined else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*wrapped, *self.command()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, FILE_LIMIT_BYTES))

    def inside(self, path: Path) -> Path:
        """A path as the running process sees it, with its own mounts."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{path}")

    def ready(self) -> bool:
        """Whether it may be asked."""
        raise NotImplementedError

    def wait_ready(self, limit_s: float = READY_LIMIT_S) -> float:
        """Seconds until it may be asked.

        Raises:
            NotReady: it ended, or took longer.
        """

        def up() -> bool:
            if self.exit_code() is not None:
                raise NotReady(f"ended with {self.exit_code()}: {self.last_words()} (all of it: {self.log})")
            return self.ready()

        return wait_until(up, f"{self.command()[-1]} to be ready; see {self.log}", limit_s)

    def exit_code(self) -> int | None:
        """None while it runs, or before it was started."""
        return None if self.process is None else self.process.poll()

    def last_words(self) -> str:
        """The end of its output."""
        return self.log.read_bytes()[-600:].decode(errors="replace") if self.log.exists() else ""

    def victims(self, victim: Victim) -> list[int]:  # noqa: ARG002 -- one process is everything here
        """Whom to kill."""
        assert self.process is not None
        return [self.process.pid]

    def stop(self, limit_s: float = 60.0) -> int | None:
        """SIGTERM, and SIGKILL for what does not end; the exit code."""
        if self.process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self) -> None:
        """SIGKILL to every process of the session, and wait until all are gone."""
        if self.process is None:
            return
        for pid in self.session():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.await_end()

    def await_end(self, limit_s: float = 30.0) -> None:
        """Wait until no process of the session is left.

        Raises:
            NotReady: one stays.
        """
        if self.process is not None:
            self.process.wait(limit_s)
            wait_until(lambda: not self.session(), "every process of the session to end", limit_s)

    def session(self) -> list[int]:
        """Every living process of the session that was started."""
        assert self.process is not None
        pids = []
        for pid in psutil.pids():
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                if os.getsid(pid) == self.process.pid and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    pids.append(pid)
        return pids

    def remove(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _answers(port: int, path: str) -> bool:
        """Whether a GET is answered with 200; by the plainest client, since it is asked often."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Stock(Server):
    """`chroma run` as it comes."""

    def command(self) -> list[str]:
        return [sys.executable, str(CHROMA), "run", "--path", str(self.store), "--port", str(self.port)]

    def connect(self, timeout_s: float = TIMEOUT_S) -> Client:
        return ChromaClient(self.url, timeout_s)

    def ready(self) -> bool:
        return self._answers(self.port, "/api/v2/heartbeat")


class Api(Server):
    """The Cortex API without a guard, for own vectors."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, environment)
        self.token = secrets.token_urlsafe(16)
        self._credential = folder / "inner-credential"
        self._credential.write_text(hashlib.sha256(self.token.encode()).hexdigest())

    def command(self) -> list[str]:
        return [sys.executable, "-m", "cortex_api"]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "CORTEX_STORE_PATH": str(self.store),
            "CORTEX_INNER_CREDENTIAL_FILE": str(self._credential),
            "CORTEX_HOST": "127.0.0.1",
            "CORTEX_PORT": str(self.port),
            "CORTEX_MODEL": "custom",
            "CORTEX_DIMENSIONS": str(DIMENSIONS),
            "CORTEX_LOG_LEVEL": "warning",
            **self.extra,
        }

    def connect(self, timeout_s: float = TIMEOUT_S) -> Client:
        return CortexClient(self.url, self.token, timeout_s)

    def ready(self) -> bool:
        return self._answers(self.port, "/healthz")
