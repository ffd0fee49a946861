"""One stack, as the Pulumi CLI and the Docker CLI see it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from infra import names
from infra.images import ROOT
from tools import pulumi_cli, settings_files

QUERY_LIMIT_S = 120
# The CLI would name one group of a wrong type and stop; the program names everything, with its line.
SETTINGS_ARE_THE_PROGRAMS = {"PULUMI_OPTION_SKIP_CONFIG_VALIDATION": "true"}
STOP_LIMIT_S = 600


class StackError(Exception):
    """An operation on the stack failed. The message says what to do; `code` is the exit code to pass on."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Stack:
    """A stack by name, with the environment its commands need.

    Args:
        name: Name of the stack, such as `dev`.
        environment: What `tools.environment` says a Pulumi process needs.
    """

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.environment = {**environment, **SETTINGS_ARE_THE_PROGRAMS}

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
            raise StackError(f"stack {self.name} is not up: `make up` brings it up")
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
        there = sorted((*self.containers(running=True), *self.containers(running=False)))
        prefix = names.on_host(self.name, name)
        found = [each for each in there if each in {name, prefix} or each.startswith(f"{prefix}-")]
        if not found:
            raise StackError(f"stack {self.name} has no container {name!r}; it has {', '.join(there) or 'none'}")
        return found[0]

    def docker(self, arguments: Sequence[str], limit_s: int = QUERY_LIMIT_S) -> str:
        """Run a Docker command and return what it printed.

        Raises:
            StackError: It failed; the message holds what it said.
        """
        done = subprocess.run(
            ["docker", *arguments], env=self.environment, capture_output=True, text=True, timeout=limit_s, check=False
        )
        if done.returncode:
            raise StackError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def containers(self, *, running: bool) -> list[str]:
        """Names of the stack's long-lived containers that run, or that were stopped."""
        wanted = ["running", "restarting"] if running else ["exited", "created"]
        arguments = ["ps", "--all", "--format", "{{.Names}}"]
        for label in (f"{names.STACK_LABEL}={self.name}", f"{names.KIND_LABEL}={names.SERVICE}"):
            arguments += ["--filter", f"label={label}"]
        for status in wanted:
            arguments += ["--filter", f"status={status}"]
        return self.docker(arguments).split()

    def parts(self) -> list[str]:
        """Names of all of the stack's long-lived containers, the store's server even when it is gone.

        Raises:
            StackError: The stack is not up.
        """
        return sorted({*self.containers(running=True), *self.containers(running=False), self.output("container")})

    def start_stopped(self) -> list[str]:
        """Start the containers that `stop` stopped.

        Returns:
            Their names.
        """
        stopped = self.containers(running=False)
        if stopped:
            self.docker(["start", *stopped], STOP_LIMIT_S)
        return stopped

    def stop(self) -> list[str]:
        """Stop the stack's containers, each within its own grace. Nothing is removed.

        Returns:
            Their names.
        """
        running = self.containers(running=True)
        if running:
            self.docker(["stop", *running], STOP_LIMIT_S)
        return running

    @property
    def volume(self) -> str:
        """Name of the store volume."""
        return names.on_host(self.name, "store")
