"""Another Docker daemon for the docker command: over SSH, or over TCP with TLS."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.settings import StoreHost

# What would lead the docker command elsewhere.
_OTHER_WAYS = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The way to a daemon.

    Attributes:
        docker: As DOCKER_HOST has it.
        ssh_options: Further arguments of ssh.
        tls: Name of a file as the docker command wants it (`ca.pem`, `cert.pem`, `key.pem`) → PEM; empty for ssh.
    """

    docker: str
    ssh_options: tuple[str, ...] = ()
    tls: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, host: StoreHost) -> Endpoint:
        """The endpoint that the settings name."""
        named = {"ca.pem": host.ca, "cert.pem": host.client_certificate, "key.pem": host.client_key}
        tls = {name: value.get_secret_value() for name, value in named.items() if value is not None}
        return cls(host.docker, host.ssh_options, tls)

    @contextmanager
    def environment(self, base: Mapping[str, str] = os.environ) -> Iterator[dict[str, str]]:
        """Variables with which the docker command talks to this daemon, as long as the block lasts.

        Args:
            base: What to start from.
        """
        with tempfile.TemporaryDirectory(prefix="cortex-docker-") as folder:
            environ = {name: value for name, value in base.items() if name not in _OTHER_WAYS}
            environ["DOCKER_HOST"] = self.docker
            if self.tls:
                environ |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": folder}
                for name, text in self.tls.items():
                    _private(Path(folder, name), text, 0o600)
            elif self.ssh_options and (ssh := shutil.which("ssh", path=base.get("PATH"))):
                # The docker command has no argument for them, and takes the ssh that it finds first.
                _private(Path(folder, "ssh"), f'#!/bin/sh\nexec {shlex.join([ssh, *self.ssh_options])} "$@"\n', 0o700)
                environ["PATH"] = os.pathsep.join([folder, base.get("PATH", os.defpath)])
            yield environ


def _private(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
