"""One stack, as the Pulumi CLI and the Docker CLI see it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infra import names
from infra.docker_endpoint import Endpoint
from infra.images import ROOT
from infra.settings import StoreHost
from infra.settings.origins import key_lines
from ops.docker_host import QUERY_LIMIT_S, DockerHost
from ops.errors import StackError
from tools import pulumi_cli, settings_files

# The CLI would name one group of a wrong type and stop; the program names everything, with its line.
SETTINGS_ARE_THE_PROGRAMS = {"PULUMI_OPTION_SKIP_CONFIG_VALIDATION": "true"}
STOP_LIMIT_S = 600
DEV = "dev"
"""The stack that is meant when none is named."""

__all__ = ["Stack", "StackError"]


class Stack:
    """A stack by name, with the environment its commands need.

    Args:
        name: Name of the stack, such as `dev`.
        environment: What `tools.environment` says a Pulumi process needs.
    """

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.environment = {**environment, **SETTINGS_ARE_THE_PROGRAMS}

    def make(self, target: str) -> str:
        """The command for a target of the Makefile that works on this stack, as a message shows it."""
        return f"`make {target}{self.for_make}`"

    @property
    def for_make(self) -> str:
        """What a command for make needs at its end; empty for the stack that it works on anyway."""
        return "" if self.name == DEV else f" STACK={self.name}"

    def pulumi(self, arguments: Sequence[str]) -> None:
        """Run a Pulumi command in the foreground: its output is the user's.

        Raises:
            StackError: It failed; the CLI has said why.
        """
        code = pulumi_cli.foreground([*arguments, "--stack", self.name], self.environment)
        if code:
            raise StackError(f"pulumi {arguments[0]} failed (exit code {code})", code)

    def ask_pulumi(self, arguments: Sequence[str]) -> str:
        """Run a quiet Pulumi command and return what it printed.

        Raises:
            StackError: It failed; the message holds what it said.
        """
        with settings_files.kept():
            done = subprocess.run(
                ["pulumi", *arguments, "--stack", self.name],
                cwd=ROOT,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=QUERY_LIMIT_S,
                check=False,
            )
        if done.returncode:
            raise StackError(f"pulumi {arguments[0]} failed: {done.stderr.strip()}", done.returncode)
        return done.stdout

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets opened; empty when it was never brought up."""
        try:
            outputs: dict[str, Any] = json.loads(self.ask_pulumi(["stack", "output", "--json", "--show-secrets"]))
        except StackError as error:
            if "no stack named" in str(error):
                return {}
            raise
        return outputs

    def output(self, key: str) -> str:
        """One output of the stack.

        Raises:
            StackError: The stack is not up.
        """
        if key not in self.outputs:
            raise StackError(f"stack {self.name} is not up: {self.make('up')} brings it up")
        return str(self.outputs[key])

    @property
    def authority(self) -> str | None:
        """Certificate that clients must trust, PEM; None when the stack's own was given to it."""
        return self.outputs.get("authority") or None

    def token(self, name: str | None = None) -> str:
        """The newest word of a token; of an admin's without a name.

        Raises:
            StackError: The stack is not up, or has no such token.
        """
        if name is None:
            return self.output("token")
        self.output("token")
        tokens: dict[str, str] = self.outputs["tokens"]
        if name not in tokens:
            raise StackError(f"stack {self.name} has no token {name!r}; it has {', '.join(tokens)}")
        return tokens[name]

    def container(self, name: str | None = None) -> str:
        """A container of the stack by its name, or the part of it after the stack's; the store's server without one.

        Raises:
            StackError: The stack is not up, or has no such container.
        """
        if name is None:
            return self.output("container")
        there = sorted(self._placed())
        prefix = names.on_host(self.name, name)
        found = [each for each in there if each in {name, prefix} or each.startswith(f"{prefix}-")]
        if not found:
            raise StackError(f"stack {self.name} has no container {name!r}; it has {', '.join(there) or 'none'}")
        return found[0]

    @property
    def near(self) -> DockerHost:
        """The gateway's host: the one that the docker command talks to anyway."""
        return DockerHost(self.environment)

    @property
    def settings_file(self) -> Path:
        """Where the stack's settings are."""
        return ROOT / f"Pulumi.{self.name}.yaml"

    def hosts(self, *, deployed: bool = False) -> tuple[DockerHost, ...]:
        """The stack's Docker hosts, the gateway's first.

        Args:
            deployed: Ask for the store's own host even where the settings name none (any more).
        """
        if not deployed and StoreHost.key not in key_lines(self.settings_file):
            return (self.near,)
        endpoint = self._store_host()
        return (self.near,) if endpoint is None else (self.near, DockerHost(self.environment, endpoint))

    def _store_host(self) -> Endpoint | None:
        """As it was deployed; as it is set, before the first deployment has come to its end."""
        if deployed := self.outputs.get("store_host"):
            tls = self.outputs.get("store_host_tls") or {}
            return Endpoint(deployed["docker"], tuple(deployed["ssh_options"]), tls)
        if StoreHost.key not in key_lines(self.settings_file):
            return None
        asked = json.loads(self.ask_pulumi(["config", "get", StoreHost.key, "--json"]))
        try:
            return Endpoint.of(StoreHost.model_validate_json(asked["value"]))
        except ValidationError:
            return None  # `up` says what is wrong with it, and nothing was made with it

    def host_of(self, container: str) -> DockerHost:
        """The host of a container; the gateway's for one that is nowhere."""
        if len(self.hosts()) == 1:
            return self.near
        return self._placed().get(container, self.near)

    def _placed(self) -> dict[str, DockerHost]:
        """Every long-lived container of the stack → its host."""
        return {
            name: host
            for host in self.hosts()
            for running in (True, False)
            for name in host.containers(self.name, running=running)
        }

    def docker(self, arguments: Sequence[str], limit_s: int = QUERY_LIMIT_S) -> str:
        """Run a Docker command on the gateway's host and return what it printed.

        Raises:
            StackError: It failed; the message holds what it said.
        """
        return self.near.docker(arguments, limit_s)

    def containers(self, *, running: bool) -> list[str]:
        """Names of the stack's long-lived containers that run, or that were stopped, on all its hosts."""
        return [name for host in self.hosts() for name in host.containers(self.name, running=running)]

    def parts(self) -> list[str]:
        """Names of all of the stack's long-lived containers, the store's server even when it is gone.

        Raises:
            StackError: The stack is not up.
        """
        return sorted({*self._placed(), self.output("container")})

    def start_stopped(self) -> list[str]:
        """Start the containers that `stop` stopped.

        Returns:
            Their names.
        """
        return self._each("start", running=False)

    def stop(self) -> list[str]:
        """Stop the stack's containers, each within its own grace. Nothing is removed.

        Returns:
            Their names.
        """
        return self._each("stop", running=True)

    def _each(self, command: str, *, running: bool) -> list[str]:
        done = []
        for host in self.hosts():
            if found := host.containers(self.name, running=running):
                host.docker([command, *found], STOP_LIMIT_S)
                done += found
        return done

    @property
    def volume(self) -> str:
        """Name of the store volume."""
        return names.on_host(self.name, "store")
