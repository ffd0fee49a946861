"""HAProxy as a bare process with the files that `infra.gateway` renders."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
import psutil

from infra.gateway.configuration import door_files, public_files, secret_files
from infra.gateway.gateway import ClientServer, Doors, Gateway, SingleNode, StoreDoor
from infra.gateway.tokens import GatewayToken
from tests.gateway.waits import free_port, wait_until

ADDRESS = "127.0.0.1"
INNER_CREDENTIAL = "inner-credential-of-the-tests"
_STOP_LIMIT_S, _REMIND_S = 10, 5


class Running:
    """One gateway: its folder, its process, its doors."""

    def __init__(
        self,
        folder: Path,
        topology: SingleNode | ClientServer | StoreDoor,
        tokens: Sequence[GatewayToken],
        certificate: Path,
        *,
        authority: str | None = None,
        **changes: Any,
    ) -> None:
        """Args: folder: to work in. certificate: PEM with its key. changes: further fields of `Gateway`."""
        self.folder = folder
        self.authority = authority
        self.credentials = [INNER_CREDENTIAL]
        self.tokens = list(tokens)
        self.certificate = certificate
        doors = Doors(free_port(), free_port(), free_port(), free_port(), ADDRESS)
        (folder / "files").mkdir(parents=True)
        self._runtime = Path(
            f"/tmp/cortex-{os.getpid()}-{doors.tls_port}"
        )  # a socket's path has at most 107 characters
        self._runtime.mkdir(mode=0o700)
        self.gateway = Gateway(
            topology,
            doors=changes.pop("doors", doors),
            folder=PurePosixPath(folder / "files"),
            runtime_folder=PurePosixPath(self._runtime),
            **changes,
        )
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The door with TLS."""
        return f"https://{ADDRESS}:{self.gateway.doors.tls_port}"

    @property
    def plain_url(self) -> str:
        """The door without."""
        return f"http://{ADDRESS}:{self.gateway.doors.plain_port}"

    @property
    def inner_url(self) -> str:
        """The door for the API."""
        return f"http://{ADDRESS}:{self.gateway.doors.inner_port}"

    @property
    def metrics_url(self) -> str:
        """The door for Prometheus."""
        return f"http://{ADDRESS}:{self.gateway.doors.metrics_port}"

    def trusting(self) -> ssl.SSLContext:
        """A context that trusts the gateway's certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def client(self, token: str | None = None, **more: Any) -> httpx.Client:
        """A client, as a caller has it."""
        headers = {"x-chroma-token": token} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, verify=self.trusting(), timeout=60, **more)

    def write_files(self) -> None:
        """Render everything."""
        certificate = self.certificate.read_text()
        if isinstance(self.gateway.topology, StoreDoor):
            secret = door_files(self.credentials, certificate)
        else:
            shown, *former = self.credentials
            secret = secret_files(
                self.gateway,
                self.tokens,
                shown,
                certificate,
                former_credentials=former,
                authority=self.authority,
            )
        for name, content in {**public_files(self.gateway), **secret}.items():
            Path(self.gateway.folder, name).write_text(content)

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.write_files()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *("haproxy", "-W", "-db", "-S", f"{self._runtime}/master.sock"),
                    *("-f", f"{self.gateway.folder}/haproxy.cfg"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._serves, f"the gateway to serve; its log: {self.last_words()}")

    def reload(self) -> None:
        """Load the files anew, and wait until a new worker has them."""
        before = self.workers()
        self.write_files()
        self.signal_until(lambda: bool(self.workers() - before), f"a new worker; log: {self.last_words()}")

    def signal_until(self, seen: Callable[[], bool], what: str) -> None:
        """Have it load its files, and remind it as the guard does: a master that has just started misses the signal."""
        assert self.process is not None
        process, reminded_s = self.process, 0.0

        def reminded() -> bool:
            nonlocal reminded_s
            if time.monotonic() - reminded_s > _REMIND_S:
                reminded_s = time.monotonic()
                process.send_signal(signal.SIGUSR2)
            return seen()

        wait_until(reminded, what)

    def workers(self) -> set[int]:
        """Process ids of the workers that take new connections."""
        with socket.socket(socket.AF_UNIX) as master:
            master.settimeout(5)
            try:
                master.connect(f"{self._runtime}/master.sock")
                master.sendall(b"show proc\n")
                master.shutdown(socket.SHUT_WR)
                text = b"".join(iter(lambda: master.recv(65_536), b"")).decode()
            except OSError:
                return set()
        current = text.partition("# workers\n")[2].partition("#")[0]
        return {int(line.split()[0]) for line in current.splitlines() if line}

    def kill(self) -> None:
        """SIGKILL, master and workers, until nobody holds a port of theirs; `start` brings it back."""
        assert self.process is not None
        # The master first: it would begin something at the end of a worker.
        workers = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        self.process.wait()
        for worker in workers:
            with suppress(psutil.NoSuchProcess):
                worker.kill()
        _, left = psutil.wait_procs(workers, _STOP_LIMIT_S)
        assert not left, f"waited {_STOP_LIMIT_S} s for {left} to end"

    def end(self) -> None:
        """SIGTERM, as a container's stop; `start` brings it back."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self) -> None:
        """End it with all its workers, for good."""
        self.end()
        shutil.rmtree(self._runtime, ignore_errors=True)

    def changed(self, **changes: Any) -> None:
        """Change the gateway; the next reload makes it true."""
        self.gateway = replace(self.gateway, **changes)

    def lines(self, **fields: Any) -> list[dict[str, Any]]:
        """The access log's lines that have these fields."""
        found = []
        for line in self.log.read_text().splitlines():
            if line.startswith("{"):
                entry = json.loads(line)
                if all(entry.get(name) == value for name, value in fields.items()):
                    found.append(entry)
        return found

    def line(self, **fields: Any) -> dict[str, Any]:
        """The one line with these fields, once it is there."""
        wait_until(lambda: bool(self.lines(**fields)), f"a line of the log with {fields}", 5)
        (entry,) = self.lines(**fields)
        return entry

    def last_words(self) -> str:
        """The end of its output."""
        return self.log.read_text()[-2000:] if self.log.exists() else ""

    def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.last_words()
        try:
            return httpx.get(f"{self.metrics_url}/healthz", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False
