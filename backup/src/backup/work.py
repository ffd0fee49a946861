"""One of the program's own commands as a child of the daemon: what it does is safe to be killed at any moment."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from healthcheck.output import Log

from backup.command import Running

_MAX_RESULT_BYTES = 4 << 20
_GRACE_S = 8.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended."""

    verb: str
    code: int
    result: dict[str, Any]
    """What it printed; empty when it failed."""
    error: str
    """Name of the error's class; empty when there was none."""
    problem: str
    """Why it failed, in words; empty when it did not."""
    seconds: float


class Work:
    """One running command."""

    def __init__(self, verb: str, arguments: tuple[str, ...], log: Log) -> None:
        """Start `python -m backup VERB --json ARGUMENTS`. It dies with the thread that starts it."""
        self.verb = verb
        self._log = log
        self._began_s = time.monotonic()
        self._result: dict[str, Any] = {}
        self._told: dict[str, Any] = {}
        self._last_line = ""
        command = (sys.executable, "-m", "backup", verb, "--json", *arguments)
        self._running = Running(command, os.environ, self._hear, _MAX_RESULT_BYTES)

    def done(self) -> Outcome | None:
        """How it ended; None while it runs."""
        code = self._running.ended()
        if code is None:
            return None
        self._running.finish_output()
        problem = str(self._told.get("message", ""))
        if code not in {0, 1} or not self._result:
            problem = problem or f"{self.verb} ended with {code}: {self._last_line}"
        return Outcome(
            verb=self.verb,
            code=code,
            result=self._result,
            error=str(self._told.get("error", "")),
            problem=problem,
            seconds=time.monotonic() - self._began_s,
        )

    def stop(self) -> None:
        """End it."""
        self._running.stop(_GRACE_S)

    def _hear(self, line: bytes, stream: str) -> None:
        said = _object(line)
        if said is None:
            self._last_line = line.decode(errors="replace")[-500:]
            self._log.pass_on(line, f"backup.{self.verb}", stream)
        elif stream == "stdout":
            self._result = said
        elif "warning" in said:
            self._log.warning(f"{self.verb}.warning", reason=said["warning"])
        elif "error" in said:
            self._told = said


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
