"""Guards for tests of the guard itself: over the real API, or over a stand-in that starts at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.recovery import stand_in
from tests.recovery.guarded import Guarded
from tests.recovery.servers import wait_until

LIMIT_S = 30.0
"""For whatever is awaited here; a loaded machine included."""


class Watched(Guarded):
    """A guard, and what can be asked of it."""

    def __init__(self, folder: Path, variables: Mapping[str, object], command: Sequence[str] | None = None) -> None:
        """Args: folder: to work in. variables: in full, or without HEALTH_. command: instead of the API."""
        given = {
            (name if name.startswith("CORTEX_") else f"HEALTH_{name.upper()}"): str(value)
            for name, value in variables.items()
        }
        usual = {"HEALTH_TICK_S": "0.1", "HEALTH_CRASH_WINDOW_S": "600", "CORTEX_DIMENSIONS": "4"}
        super().__init__(folder, {**usual, **given})
        self._command = command

    def server_command(self) -> list[str]:
        return super().server_command() if self._command is None else list(self._command)

    def ready(self) -> bool:
        """By the state file, which is cheaper to look at many times a second than the endpoint."""
        return bool(self.state().get("ready"))

    def lines(self) -> list[dict[str, Any]]:
        """The container's log: each line must be a JSON object. Standard error is told to a person besides."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if not line.startswith(("guard: ", "usage: "))]

    def said(self, message: str) -> dict[str, Any]:
        """The last line with this message."""
        found = [line for line in self.lines() if line.get("message") == message]
        assert found, f"{message!r} is not in {self.last_words()}"
        return found[-1]

    def did(self, action: str) -> list[dict[str, Any]]:
        """What the state tells of this action, oldest first."""
        return [each for each in self.state().get("actions", []) if each["action"] == action]

    def until_done(self, action: str, outcome: str = "") -> dict[str, Any]:
        """Wait for an action whose outcome begins so."""
        found: list[dict[str, Any]] = []

        def done() -> bool:
            found[:] = [each for each in self.did(action) if each["outcome"].startswith(outcome)]
            return bool(found)

        wait_until(done, f"the action {action!r}; there are {self.state().get('actions')}", LIMIT_S)
        return found[-1]

    def until_phase(self, phase: str) -> None:
        wait_until(lambda: self.state().get("phase") == phase, f"the phase {phase!r}", LIMIT_S)

    def judged(self, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.state()["judgements"] if each["name"] == name]
        return dict(found)

    def notes(self) -> dict[str, Any]:
        return dict(json.loads((self.store / ".cortex/guard.json").read_text()))

    def asked(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.guard_url}/{path}", timeout=10)

    def end(self) -> int | None:
        """Wait until the guard has ended by itself; its exit code."""
        wait_until(lambda: self.exit_code() is not None, "the guard to end", LIMIT_S)
        return self.exit_code()


class WithStandIn(Watched):
    """A guard over the stand-in, whose answers the test decides."""

    def __init__(self, folder: Path, variables: Mapping[str, object]) -> None:
        super().__init__(folder, variables)
        self._says = folder / "says.json"

    def server_command(self) -> list[str]:
        return [sys.executable, "-IS", stand_in.__file__, str(self.port), str(self._says)]

    def says(self, what: object) -> None:
        """What the running server says of itself from now on."""
        fresh = self._says.with_suffix(".new")
        fresh.write_text(json.dumps(what))
        fresh.rename(self._says)


def gone(pid: int) -> bool:
    """Whether a process has ended; nobody may have asked how."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
