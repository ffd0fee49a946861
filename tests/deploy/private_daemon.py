"""A Docker daemon of the test's own: socket, data and network apart from the user's."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.deployment import wait_for

START_LIMIT_S = 60
# The range for tests of networks (RFC 2544): no daemon hands it out by itself.
POOL = "198.18.240.0/20"
# What goes from one container to another passes the host's firewall, which the user's daemon leaves closed.
LET_THROUGH = ("FORWARD", "--source", POOL, "--destination", POOL, "--jump", "ACCEPT")
# Of this machine on the bridge of such a daemon, as if it were the address of another host.
ADDRESS = "198.18.239.1"


class PrivateDaemon:
    """A dockerd in a folder; it can be stopped and started again with its data kept."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._options = options
        self.address = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._bridge = f"cortex-{secrets.token_hex(3)}"

    def make_bridge(self) -> None:
        """A bridge of its own, as its default network."""
        _ip("link", "add", "name", self._bridge, "type", "bridge")
        _ip("address", "add", f"{ADDRESS}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        _run("iptables", "--wait", "--insert", *LET_THROUGH)

    def remove_bridge(self) -> None:
        """The bridge again."""
        _run("iptables", "--wait", "--delete", *LET_THROUGH)
        _ip("link", "delete", self._bridge)

    def start(self) -> None:
        """Start it and wait until it answers."""
        # Started again with ranges of its own, dockerd 20.10 removes docker0, whoever's that is; its networks keep
        # the ranges that they got.
        ranges = [] if (self.folder / "data").exists() else [f"--default-address-pool=base={POOL},size=24"]
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--host={self.address}",
                    f"--data-root={self.folder}/data",
                    f"--exec-root={self.folder}/exec",
                    f"--pidfile={self.folder}/pid",
                    # Rules and the default bridge belong to the user's daemon (which would lose its bridge to
                    # `--bridge=none`); published ports go through docker-proxy.
                    f"--bridge={self._bridge}",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-masq=false",
                    *ranges,
                    *self._options,
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
def private_daemon(folder: Path, *options: str) -> Iterator[PrivateDaemon]:
    """A private daemon, running, with further options of dockerd; its data is removed at the end."""
    daemon = PrivateDaemon(folder, *options)
    daemon.make_bridge()
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()
        daemon.remove_bridge()
        shutil.rmtree(folder / "data", ignore_errors=True)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)
