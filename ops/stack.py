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
