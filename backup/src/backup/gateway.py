"""The way of the log to and from the target: `rclone serve sftp` over its encrypted part, on loopback.

SFTP, because it streams files of any size in constant memory, and because Litestream gives a file its name only when it
is complete. rclone's S3 server keeps large files in memory, Litestream's WebDAV client gives each file 30 s.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator

from backup.command import RCLONE, Running
from backup.config import S3Target
from backup.errors import ToolFailed
from backup.target import Target

LOG = "log"
"""The folder at the target, encrypted, with one folder per lineage."""
_HOST = "127.0.0.1"
_USER = "archive"
_LISTENING = re.compile(rb"SFTP server listening on [\d.]+:(\d+)")
_START_LIMIT_S = 20.0
_STOP_GRACE_S = 3.0
_TROUBLE_S = 60.0
_POLL_S = 0.02


class Gateway:
    """One server of rclone, which can be started again under the same address. Made by `gateway`."""

    def __init__(self, target: Target, hear: Callable[[bytes, str], None], *, read_only: bool = False) -> None:
        """Args: hear: gets each line that rclone says, and the stream's name. read_only: nothing is written there."""
        self._target = target
        self._hear = hear
        self._read_only = read_only
        self._password = secrets.token_urlsafe(32)
        self._home = target.folder / "gateway"
        self._port = 0
        self._listening = threading.Event()
        self._running: Running | None = None
        self._last_words = ""
        self._said_s = 0.0

    def start(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            ToolFailed: it does not.
            BackupError: the target does not let it in.
        """
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._listening.clear()
        self._running = Running(self._command(), self._variables(), self._heard)
        deadline_s = time.monotonic() + _START_LIMIT_S
        while not self._listening.wait(_POLL_S):
            if self._running.ended() is not None or time.monotonic() > deadline_s:
                self.stop()
                raise (
                    self._target.explained(self._last_words)
                    if self._last_words
                    else ToolFailed("rclone serve sftp does not begin to listen.")
                )

    def alive(self) -> bool:
        """Whether it runs."""
        return self._running is not None and self._running.ended() is None

    @property
    def pid(self) -> int | None:
        """Its process id; None when it does not run."""
        return self._running.pid if self._running is not None and self.alive() else None

    @property
    def trouble(self) -> str:
        """What rclone said lately; empty when nothing. Litestream is told of an error only that there is one."""
        return self._last_words if time.monotonic() - self._said_s < _TROUBLE_S else ""

    def stop(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.stop(_STOP_GRACE_S)
            self._running = None

    def replica(self, lineage: str) -> dict[str, object]:
        """Litestream's configuration of a replica that lies there. It holds the password."""
        return {
            "type": "sftp",
            "host": f"{_HOST}:{self._port}",
            "user": _USER,
            "password": self._password,
            "path": f"/{lineage}",
            # rclone takes what it is given in order, and Litestream would send several parts at once.
            "concurrent-writes": False,
        }

    def _command(self) -> tuple[str, ...]:
        options = ["--addr", f"{_HOST}:{self._port}", "--cache-dir", str(self._home)]
        if isinstance(self._target.settings, S3Target):
            # Else each look at a folder asks for each file's own time.
            options.append("--use-server-modtime")
        if self._read_only:
            options.append("--read-only")
        return (
            *(RCLONE, "serve", "sftp", *options, "--contimeout", "10s", "--timeout", "60s"),
            *("--low-level-retries", "3", f"sealed:{LOG}"),
        )

    def _variables(self) -> dict[str, str]:
        # Only this user and root read a process's environment. The password dies with the process; HOME is where
        # rclone looks for keys of others who may come in.
        return {
            **self._target.variables,
            "RCLONE_USER": _USER,
            "RCLONE_PASS": self._password,
            "HOME": str(self._home),
        }

    def _heard(self, line: bytes, stream: str) -> None:
        found = _LISTENING.search(line)
        if found:
            self._port = int(found[1])
            self._listening.set()
            return
        self._last_words, self._said_s = line.decode(errors="replace"), time.monotonic()
        self._hear(line, stream)


@contextlib.contextmanager
def gateway(
    target: Target, hear: Callable[[bytes, str], None] = lambda _line, _stream: None, *, read_only: bool = False
) -> Iterator[Gateway]:
    """A running gateway until the end of the block.

    Raises:
        BackupError: the target does not let it in.
    """
    made = Gateway(target, hear, read_only=read_only)
    made.start()
    try:
        yield made
    finally:
        made.stop()
