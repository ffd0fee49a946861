"""One of a stack's Docker hosts, as the docker command sees it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from infra import names
from infra.docker_endpoint import Endpoint
from ops.errors import StackError

QUERY_LIMIT_S = 120


@dataclass(frozen=True)
class DockerHost:
    """A Docker host.

    Attributes:
        base: Variables that commands need.
        endpoint: Its daemon; None for the one that the docker command talks to anyway.
    """

    base: Mapping[str, str]
    endpoint: Endpoint | None = None

    def docker(self, arguments: Sequence[str], limit_s: int = QUERY_LIMIT_S) -> str:
        """Run a Docker command and return what it printed.

        Raises:
            StackError: It failed; the message holds what it said.
        """
        done = self.try_docker(arguments, limit_s)
        if done.returncode:
            where = f" on {self.endpoint.docker}" if self.endpoint else ""
            raise StackError(f"docker {arguments[0]} failed{where}: {done.stderr.strip()}")
        return done.stdout

    def try_docker(self, arguments: Sequence[str], limit_s: int = QUERY_LIMIT_S) -> subprocess.CompletedProcess[str]:
        """Run a Docker command, whatever comes of it."""
        with self.environment() as environ:
            return subprocess.run(
                ["docker", *arguments], env=environ, capture_output=True, text=True, timeout=limit_s, check=False
            )

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """Variables with which the docker command talks to this host, as long as the block lasts."""
        if self.endpoint is None:
            yield dict(self.base)
            return
        with self.endpoint.environment(self.base) as environ:
            yield environ

    def containers(self, stack: str, *, running: bool) -> list[str]:
        """Names of a stack's long-lived containers that run here, or that were stopped."""
        wanted = ["running", "restarting"] if running else ["exited", "created"]
        arguments = ["ps", "--all", "--format", "{{.Names}}"]
        for label in (f"{names.STACK_LABEL}={stack}", f"{names.KIND_LABEL}={names.SERVICE}"):
            arguments += ["--filter", f"label={label}"]
        for status in wanted:
            arguments += ["--filter", f"status={status}"]
        return self.docker(arguments).split()
