"""A real `chroma run` as a bare process that is stopped, killed and started again on the same store."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import httpx

from tests.gateway.waits import free_port, wait_until

FILE_LIMIT_BYTES = 2 << 30
"""A kill in a save was seen to be followed by an index file of 80 GB."""


class Chroma:
    """The server."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", port: int | None = None) -> None:
        self.folder = folder
        self.address, self.port = address, port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}:{self.port}"

    def start(self, *, wait: bool = True) -> None:
        """Start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = Path(sys.executable).parent / "chroma"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(str(command), "run", "--path", str(self.folder / "store")),
                    *("--host", self.address, "--port", str(self.port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, FILE_LIMIT_BYTES))
        if wait:
            wait_until(self.answers, "chroma run to answer")

    def answers(self) -> bool:
        """Whether it serves."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-500:]
        try:
            return httpx.get(f"{self.url}/api/v2/heartbeat", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM; SIGKILL if that does not end it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
