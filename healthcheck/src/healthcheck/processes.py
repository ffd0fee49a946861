"""Children of the guard: started so that they die with it, stopped as a group, reaped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TETHER = str(Path(__file__).with_name("tether.py"))
LOW_PRIORITY = 19


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended."""

    code: int
    """Exit status; the negative number of the signal that killed it."""
    took_s: float

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it: by the kernel for memory, or by someone."""
        return self.code == -signal.SIGKILL

    def __str__(self) -> str:
        if self.code < 0:
            return f"was killed by {signal.Signals(-self.code).name}"
        return f"ended with exit code {self.code}"


class Child:
    """A process and its group."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        nice: int = 0,
        stdout: int | None = subprocess.PIPE,
    ) -> None:
        """Start it. It dies when the thread that calls this ends; its own children may outlive it in its group.

        Args:
            command: program and arguments.
            environment: all its variables; the guard's by default.
            pass_fds: descriptors that it inherits.
            nice: added to its niceness; from 1 on it also uses the disk only when nobody else does.
            stdout: as in `subprocess.Popen`. Standard error is a pipe.
        """
        tethered = [sys.executable, "-IS", _TETHER, str(os.getpid()), str(nice), "--", *command]
        self._process = subprocess.Popen(
            tethered,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            pass_fds=tuple(pass_fds),
            process_group=0,
            bufsize=0,
        )
        self._started_s = time.monotonic()
        self._exit: Exit | None = None
        _OWN[self._process.pid] = self

    @property
    def pid(self) -> int:
        """Its id, and that of its group."""
        return self._process.pid

    def take_pipes(self) -> tuple[int, int]:
        """Descriptors of its standard output and error; the caller closes them.

        Raises:
            ValueError: its standard output is no pipe.
        """
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise ValueError("the child was started without pipes")
        descriptors = os.dup(stdout.fileno()), os.dup(stderr.fileno())
        stdout.close()
        stderr.close()
        return descriptors

    def ended(self) -> Exit | None:
        """How it ended; None while it runs."""
        if self._exit is None and (code := self._process.poll()) is not None:
            self._exit = Exit(code, time.monotonic() - self._started_s)
            _OWN.pop(self.pid, None)
        return self._exit

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.ended() is None:
            self._process.send_signal(number)

    def kill_group(self) -> None:
        """Kill it and everything it has started that stayed in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


_OWN: dict[int, Child] = {}


def reap_strangers() -> int:
    """Collect ended processes that were handed to this one because it is PID 1; returns how many.

    Own children are left to their `Child`, which would otherwise never learn how they ended.
    """
    count = 0
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return count
        if found is None:
            return count
        if found.si_pid in _OWN:
            # The kernel would show the same one again: let its owner collect it.
            _OWN[found.si_pid].ended()
            continue
        try:
            os.waitpid(found.si_pid, os.WNOHANG)
        except ChildProcessError:
            return count
        count += 1
