"""Running other programs: short ones to their end, daemons detached from this process."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from tools.errors import ToolError

POLL_INTERVAL_S = 0.1
LOG_TAIL_LINES = 15


def run(
    args: Sequence[str],
    *,
    what: str,
    timeout_s: float = 60,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Runs a command to its end and returns its standard output.

    Raises:
        ToolError: It is missing, failed, or took longer than `timeout_s`; carries the end of its output.
    """
    try:
        done = subprocess.run(
            list(args), capture_output=True, text=True, timeout=timeout_s, env=env, cwd=cwd, check=False
        )
    except FileNotFoundError as error:
        raise ToolError(f"{what}: `{args[0]}` is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{what}: `{' '.join(args)}` did not end within {timeout_s:.0f} s") from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-LOG_TAIL_LINES:])
        raise ToolError(f"{what}: `{' '.join(args)}` ended with {done.returncode}:\n{tail}")
    return done.stdout


def succeeds(args: Sequence[str], *, timeout_s: float = 10, env: Mapping[str, str] | None = None) -> bool:
    """Whether the command exists and ends with 0 in time."""
    try:
        done = subprocess.run(list(args), capture_output=True, timeout=timeout_s, env=env, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def log_tail(path: Path) -> str:
    """The last lines of a log, for an error message."""
    if not path.is_file():
        return "(no log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def pid_alive(pid_file: Path, program: str) -> int | None:
    """The pid in `pid_file` if that process runs and is `program`; pids are reused, so the name counts."""
    try:
        process = psutil.Process(int(pid_file.read_text()))
        alive = process.name() == program and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, psutil.Error):
        return None
    return process.pid if alive else None


def start_daemon(args: Sequence[str], *, log: Path, pid_file: Path, env: Mapping[str, str] | None = None) -> int:
    """Starts a daemon in a session of its own, so that it outlives this process and its terminal.

    Returns:
        Its pid, also written to `pid_file`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(args),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env=dict(os.environ if env is None else env),
        )
    pid_file.write_text(f"{process.pid}\n")
    return process.pid


def wait_until(ready: Callable[[], bool], *, limit_s: float, pid: int | None = None) -> bool:
    """Waits until `ready()`, the limit, or the death of `pid`; True when ready."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if ready():
            return True
        if pid is not None and not _running(pid):
            return ready()
        time.sleep(POLL_INTERVAL_S)
    return ready()


def _running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
