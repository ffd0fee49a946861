"""Running litestream, restic and rclone: with limits of time, tied to this process, in an environment of their own.

Secrets reach them in files of mode 0600, never as arguments, which every process of the machine may read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from healthcheck.output import MAX_LINE_BYTES, Pump
from healthcheck.processes import LOW_PRIORITY

from backup.errors import ToolFailed, ToolMissing
from healthcheck import tether

LITESTREAM, RESTIC, RCLONE = "litestream", "restic", "rclone"
_KEPT = frozenset(
    {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "GOMEMLIMIT"}
    | {name for each in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (each, each.lower())}
)
_GOGC = "20"
"""All three are written in Go: a little more work for its garbage collector halves what they keep in memory."""
_TERM_GRACE_S = 5.0
_KILL_LIMIT_S = 30.0
_TAIL_CHARACTERS = 1_500
_OUTPUT_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a tool ended."""

    code: int
    """128 + n for signal n."""
    stdout: bytes
    tail: str
    """The end of what it said on standard error."""

    @property
    def text(self) -> str:
        """What it said on standard output."""
        return self.stdout.decode(errors="replace")


def find(tool: str) -> str:
    """Where a tool is.

    Raises:
        ToolMissing: it is not on PATH.
    """
    found = shutil.which(tool)
    if found is None:
        raise ToolMissing(f"{tool} is not on PATH ({os.environ.get('PATH', '')}): it is part of the image `backup`.")
    return found


def environment(**variables: str) -> dict[str, str]:
    """What a tool gets: little of this process's own environment, and these."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    return {"GOGC": os.environ.get("GOGC", _GOGC), **kept, **variables}


def run(
    command: Sequence[str],
    *,
    variables: Mapping[str, str],
    limit_s: float,
    given: bytes = b"",
    folder: Path | None = None,
    gently: bool = False,
) -> Ran:
    """Run a tool to its end.

    Args:
        command: its name and arguments.
        variables: all of its environment.
        limit_s: after which it is ended.
        given: its standard input.
        folder: where it runs.
        gently: with the lowest priority for processor and disk.

    Raises:
        ToolMissing: it is not there.
        ToolFailed: it took longer.
    """
    process = subprocess.Popen(
        _tethered(command, gently=gently),
        env=dict(variables),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    try:
        stdout, stderr = process.communicate(given, timeout=limit_s)
    except subprocess.TimeoutExpired:
        _end(process, _TERM_GRACE_S)
        raise ToolFailed(f"{command[0]} {_verb(command)} did not end within {limit_s:g} s.") from None
    except BaseException:
        _end(process, _TERM_GRACE_S)
        raise
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Ran(code, stdout, stderr.decode(errors="replace").strip()[-_TAIL_CHARACTERS:])


class Running:
    """A tool that runs until it is stopped. It dies with the thread that starts it."""

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        hear: Callable[[bytes, str], None],
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        """Start it.

        Args:
            command: its name and arguments.
            variables: all of its environment.
            hear: gets each line of its output, and the stream's name; called in another thread.
            max_line_bytes: longer lines are cut.

        Raises:
            ToolMissing: it is not there.
        """
        self.name = command[0]
        self._process = subprocess.Popen(
            _tethered(command),
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            bufsize=0,
        )
        assert self._process.stdout is not None  # noqa: S101 (both are pipes)
        assert self._process.stderr is not None  # noqa: S101
        streams = {os.dup(self._process.stdout.fileno()): "stdout", os.dup(self._process.stderr.fileno()): "stderr"}
        self._process.stdout.close()
        self._process.stderr.close()
        self._pump = Pump(streams, hear, max_line_bytes)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def finish_output(self) -> None:
        """Wait a little until all that it said before its end is heard."""
        self._pump.finish(_OUTPUT_LIMIT_S)

    def stop(self, grace_s: float) -> int:
        """Ask it to end, and kill it after the grace; its exit code, negative for a signal."""
        _end(self._process, grace_s)
        self.finish_output()
        return self._process.returncode


def _tethered(command: Sequence[str], *, gently: bool = False) -> list[str]:
    program = find(command[0])
    nice = LOW_PRIORITY if gently else 0
    return [sys.executable, "-IS", tether.__file__, str(os.getpid()), str(nice), "--", program, *command[1:]]


def _end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """SIGTERM to the tool's group, SIGKILL after the grace, and wait."""
    deadline_s = time.monotonic() + grace_s
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(max(0.0, deadline_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        _signal_group(process, signal.SIGKILL)
        process.wait(_KILL_LIMIT_S)
    _signal_group(process, signal.SIGKILL)  # what it started and left behind
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _verb(command: Sequence[str]) -> str:
    return next((word for word in command[1:] if not word.startswith("-")), "")
