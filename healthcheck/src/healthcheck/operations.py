"""Work on the store's files, done by children of the guard: `python -m store COMMAND`.

A child, because the guard stays small and must outlive whatever damaged files do to their reader.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from healthcheck.loop import Loop, StopRequested
from healthcheck.output import Log, Pump
from healthcheck.processes import LOW_PRIORITY, Child

_MAX_RESULT_BYTES = 16 << 20
_OUTPUT_LIMIT_S = 5.0
_TERM_GRACE_S = 5.0
STALL_LIMIT_S = 1800.0
"""An operation that tells no progress for this long hangs: on a disk that does not answer, most likely."""


@dataclass(frozen=True, slots=True)
class Done:
    """How an operation ended."""

    command: str
    exit_code: int
    result: dict[str, object]
    """What it printed; empty when it failed."""
    problem: str
    """Why it failed, in words; empty when it did not."""
    took_s: float

    @property
    def failed(self) -> bool:
        """Whether there is no result. Exit code 1 means that something was found."""
        return self.exit_code not in {0, 1} or bool(self.problem)


class Operation:
    """One running child."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Log,
        *,
        lock_fd: int | None = None,
        temporary: Path | None = None,
        gently: bool = False,
    ) -> None:
        """Start it.

        Args:
            name: for logs.
            command: program and arguments.
            log: gets what is neither progress, result nor error.
            lock_fd: descriptor of the writer lock, inherited by the child.
            temporary: directory for SQLite's temporary files.
            gently: with the lowest priority for processor and disk.
        """
        self.name = name
        self.progress: dict[str, object] = {}
        """What was told last: what, done, of."""
        self._log = log
        self._told_at_s = time.monotonic()
        self._error = ""
        self._last_line = ""
        self._result: dict[str, object] = {}
        environment = dict(os.environ)
        if temporary is not None:
            environment["TMPDIR"] = environment["SQLITE_TMPDIR"] = str(temporary)
        self._child = Child(
            command,
            environment=environment,
            pass_fds=() if lock_fd is None else (lock_fd,),
            nice=LOW_PRIORITY if gently else 0,
        )
        out, err = self._child.take_pipes()
        self._pump = Pump({out: "stdout", err: "stderr"}, self._hear, _MAX_RESULT_BYTES)
        self._done: Done | None = None

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def done(self) -> Done | None:
        """How it ended; None while it runs."""
        ended = self._child.ended()
        if self._done is None and ended is not None:
            self._pump.finish(_OUTPUT_LIMIT_S)
            problem = self._error
            if not problem and ended.code not in {0, 1}:
                problem = f"{self.name} {ended}" + (f": {self._last_line}" if self._last_line else "")
            elif not problem and ended.code == 1 and not self._result:
                problem = f"{self.name} ended with exit code 1 and without a result: {self._last_line}"
            self._done = Done(self.name, ended.code, self._result, problem, ended.took_s)
        return self._done

    def stalled(self) -> bool:
        """Whether it has told no progress for too long."""
        return time.monotonic() - self._told_at_s > STALL_LIMIT_S

    def end(self, loop: Loop) -> None:
        """Stop it if it still runs. What it was doing is safe to be killed at any moment."""
        if self._child.ended() is None:
            self._child.signal(signal.SIGTERM)
            if not loop.wait(lambda: self._child.ended() is not None, _TERM_GRACE_S, stoppable=False):
                self._child.kill_group()
                loop.wait(lambda: self._child.ended() is not None, _TERM_GRACE_S, stoppable=False)
        self.done()

    def _hear(self, line: bytes, stream: str) -> None:
        said = _object(line)
        self._told_at_s = time.monotonic()
        if stream == "stdout" and said is not None:
            self._result = said
        elif said is not None and isinstance(said.get("progress"), dict):
            self.progress = said["progress"]  # type: ignore[assignment]  # checked in the line above
        elif said is not None and "error" in said:
            self._error = str(said.get("message", said["error"]))
        else:
            self._last_line = line.decode(errors="replace")
            self._log.pass_on(line, f"store.{self.name}", stream)


def store_command(name: str, path: str, *arguments: str, lock_fd: int | None = None) -> list[str]:
    """The command line of a store operation."""
    lock = [] if lock_fd is None else ["--lock-fd", str(lock_fd)]
    return [sys.executable, "-m", "store", name, path, "--json", *lock, *arguments]


def finish(operation: Operation, loop: Loop, limit_s: float | None = None) -> Done:
    """Turn the loop until the operation has ended.

    Args:
        operation: what runs.
        loop: the guard's.
        limit_s: after which it is stopped; None: only when it stalls.

    Raises:
        StopRequested: the operation was stopped before.
    """
    start_s = time.monotonic()
    try:
        ended = loop.wait(lambda: operation.done() is not None or operation.stalled(), limit_s)
    except StopRequested:
        operation.end(loop)
        raise
    done = operation.done()
    if not ended or done is None:
        operation.end(loop)
        took_s = time.monotonic() - start_s
        return Done(operation.name, -9, {}, f"{operation.name} was stopped after {took_s:.0f} s without an end", took_s)
    return done


def _object(line: bytes) -> dict[str, object] | None:
    if not line.startswith(b"{"):
        return None
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
