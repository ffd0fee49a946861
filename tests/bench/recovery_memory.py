"""The most memory that each program of the backup takes, and all of a container's together."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

_EVERY_S = 0.2
_TOOLS = frozenset({"litestream", "rclone", "restic"})


class Where(StrEnum):
    """Whose memory limit counts."""

    ARCHIVER = "archiver"
    """The daemon, its tools, and commands beside it."""
    RESTORE = "restore"


class Memory:
    """Looks at the processes of sessions that it is told of."""

    def __init__(self) -> None:
        self.peaks: dict[tuple[Where, str], int] = {}
        """Largest resident set of one process, in bytes, by its name. The kernel keeps it, so no peak is missed but
        that of a program that lives shorter than the time between two looks."""
        self.together: dict[Where, int] = {}
        """Largest sum of resident sets at one moment, in bytes; what they share is counted for each."""
        self._sessions: dict[int, Where] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def watch(self, session: int, where: Where) -> None:
        """Look at all processes of a session from now on."""
        self._sessions[session] = where

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        sessions, sums = dict(self._sessions), defaultdict[Where, int](int)
        for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):  # noqa: PTH208 (as cheap as can be)
            with contextlib.suppress(OSError, KeyError, ValueError):
                where = sessions[os.getsid(pid)]
                peak, now = _resident(pid)
                sums[where] += now
                if name := program(pid):
                    self.peaks[where, name] = max(self.peaks.get((where, name), 0), peak)
        for where, total in sums.items():
            self.together[where] = max(self.together.get(where, 0), total)


def _resident(pid: int) -> tuple[int, int]:
    """Peak and present, in bytes. Raises KeyError for a process that has ended."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    found = {words[0]: int(words[1]) * 1024 for words in lines if words and words[0] in {"VmHWM:", "VmRSS:"}}
    return found["VmHWM:"], found["VmRSS:"]


def program(pid: int) -> str:
    """The tool, or the verb of the backup program; empty for what becomes one of them in a moment.

    Raises:
        OSError: it has ended.
    """
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    tool = Path(words[0]).name
    if tool in _TOOLS:
        return tool
    return f"backup {words[3]}" if words[1:3] == ["-m", "backup"] else ""
