"""The server as the guard's child: started with what it needs, its output passed on, stopped within its grace."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from healthcheck.loop import Loop
from healthcheck.output import Log, Pump
from healthcheck.processes import Child, Exit

LOCK_VARIABLE = "CORTEX_LOCK_FD"
_OUTPUT_LIMIT_S = 1.0
_KILL_LIMIT_S = 30.0
"""A killed process goes at once, unless it waits for a disk in the kernel."""


class Server:
    """One process of the server, from its start to its end."""

    def __init__(
        self, command: Sequence[str], log: Log, *, lock_fd: int | None = None, temporary: Path | None = None
    ) -> None:
        """Start it.

        Args:
            command: the server's program and arguments.
            log: gets its output.
            lock_fd: descriptor of the store's writer lock: the kernel keeps the lock while this process lives, so
                that a guard killed alone never leads to two servers.
            temporary: directory for its temporary files and SQLite's.
        """
        environment = dict(os.environ)
        environment.pop(LOCK_VARIABLE, None)
        if lock_fd is not None:
            environment[LOCK_VARIABLE] = str(lock_fd)
        if temporary is not None:
            environment["TMPDIR"] = environment["SQLITE_TMPDIR"] = str(temporary)
        self.started_at_s = time.monotonic()
        self.started_wall_s = time.time()
        self.stopped_in_time = False
        """Whether it was asked to stop and did so within its grace."""
        self._log = log
        self._child = Child(command, environment=environment, pass_fds=() if lock_fd is None else (lock_fd,))
        out, err = self._child.take_pipes()
        self._pump: Pump | None = Pump(
            {out: "stdout", err: "stderr"}, lambda line, stream: log.pass_on(line, "server", stream)
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def ran_s(self) -> float:
        """Since its start."""
        return time.monotonic() - self.started_at_s

    def ended(self) -> Exit | None:
        """How it ended; None while it runs. What was left of its group is killed then."""
        ended = self._child.ended()
        if ended is not None and self._pump is not None:
            self._child.kill_group()
            self._pump.finish(_OUTPUT_LIMIT_S)
            self._pump = None
        return ended

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        self._child.signal(number)

    def stop(self, loop: Loop, grace_s: float) -> Exit:
        """Ask it to stop, wait, kill it after the grace. A further request to the guard is passed on to it."""
        self._child.signal(signal.SIGTERM)
        asked = loop.stops
        deadline_s = time.monotonic() + grace_s

        def ended() -> bool:
            nonlocal asked
            if loop.stops > asked:
                asked = loop.stops
                self._child.signal(signal.SIGTERM)
            return self._child.ended() is not None

        if loop.wait(ended, max(0.0, deadline_s - time.monotonic()), stoppable=False):
            self.stopped_in_time = True
        else:
            self._log.warning("server.killed", reason=f"it did not stop within {grace_s:g} s", pid=self.pid)
            self._child.kill_group()
            loop.wait(lambda: self._child.ended() is not None, _KILL_LIMIT_S, stoppable=False)
        return self.ended() or Exit(-signal.SIGKILL, self.ran_s)
