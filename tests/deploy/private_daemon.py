"""A Docker daemon of the test's own: socket, data and network apart from the user's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.deployment import wait_for

START_LIMIT_S = 60


class PrivateDaemon:
    """A dockerd in a folder; it can be stopped and started again with its data kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--host={self.address}",
                    f"--data-root={self.folder}/data",
                    f"--exec-root={self.folder}/exec",
                    f"--pidfile={self.folder}/pid",
                    # Rules and the default bridge belong to the user's daemon; published ports go through docker-proxy.
                    "--bridge=none",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-masq=false",
                    # The range for tests of networks (RFC 2544): no daemon hands it out by itself.
                    "--default-address-pool=base=198.18.240.0/20,size=24",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers, f"dockerd in {self.folder} to answer", START_LIMIT_S)

    def stop(self) -> None:
        """End it in order, and wait until it is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(START_LIMIT_S)
            self._process = None

    def _answers(self) -> bool:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            env={**os.environ, "DOCKER_HOST": self.address},
            capture_output=True,
            check=False,
        )
        return done.returncode == 0


@contextmanager
def private_daemon(folder: Path) -> Iterator[PrivateDaemon]:
    """A private daemon, running; its data is removed at the end."""
    daemon = PrivateDaemon(folder)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        shutil.rmtree(folder / "data", ignore_errors=True)
