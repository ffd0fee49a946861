"""Files of the server that changed: checked by a command first, then the server is told to load them (SIGUSR2).

What does not pass the check is not loaded and told: the server goes on with what it has. A server that works through
children shows that it has loaded by starting new ones; HAProxy 2.6 misses a signal that comes while it is starting.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from pathlib import Path

from healthcheck.context import Context
from healthcheck.output import Pump
from healthcheck.processes import Child
from healthcheck.supervise import Server
from healthcheck.units import one_line

CHECK_LIMIT_S = 60.0
AGAIN_AFTER_S = 10.0
"""Without new children after so long, the signal is sent again."""
MOST_SIGNALS = 3
_OUTPUT_LIMIT_S = 1.0
_LINES_KEPT = 5
_TOPIC = "files"

Files = dict[str, tuple[int, int, int]]
"""Path below the folder → time of change, size, inode."""


class Reloading:
    """Looks in every tick; at most one check runs at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._folder = Path(context.settings.reload_watch)
        self._loaded = self._last = self._refused = files_below(self._folder)
        """What the server has; what the last tick found; what did not pass, so that it is checked once."""
        self._server_pid: int | None = None
        self._check: _Check | None = None
        self._load: _Load | None = None

    def poll(self) -> None:
        """Check files that changed and have settled; load what passed."""
        server = self._context.server
        pid = server.pid if server is not None and server.ended() is None else None
        if pid != self._server_pid:
            # A new server has what was there before it was started, or newer.
            self._server_pid, self._loaded, self._load = pid, self._last, None
        found = files_below(self._folder)
        settled, self._last = found == self._last, found
        new = found not in (self._loaded, self._refused)
        if self._load is not None:
            self._finish(self._load)
        elif self._check is not None:
            self._take_result(found)
        elif pid is not None and settled and new and self._context.board.snapshot.ready:
            self._check = _Check(self._context, found, pid)

    def _take_result(self, found: Files) -> None:
        check, context = self._check, self._context
        if check is None or (problem := check.problem()) is None:
            return
        self._check = None
        if found != check.files or self._server_pid != check.server_pid:
            # Changed again: they are looked at anew once they have settled. Another server: it may not listen to
            # signals yet, and has these files anyway.
            return
        reason = f"files changed: {', '.join(_changed(self._loaded, found))}"
        if problem:
            self._refused = found
            context.remarks[_TOPIC] = f"changed files were not loaded, the old ones are in use: {problem}"
            context.board.did("reload", reason, f"refused: {problem}", check.took_s)
            return
        self._loaded = found
        if context.server is not None and self._server_pid is not None:
            self._load = _Load(reason, children(self._server_pid))
            self._load.signal(context.server)

    def _finish(self, load: _Load) -> None:
        """Note a load that is seen to have happened; remind the server of one that is not."""
        context, server = self._context, self._context.server
        if server is None or self._server_pid is None:
            return
        if not load.before or children(self._server_pid) - load.before:
            self._load = None
            context.remarks.pop(_TOPIC, None)
            context.board.did("reload", load.reason, "done", load.took_s)
        elif load.signals < MOST_SIGNALS and load.took_s > load.signals * AGAIN_AFTER_S:
            load.signal(server)
        elif load.took_s > MOST_SIGNALS * AGAIN_AFTER_S:
            self._load = None
            context.remarks[_TOPIC] = "changed files are right, but the server did not load them; its log says why"
            context.board.did("reload", load.reason, "failed: the server started nothing new", load.took_s)


class _Load:
    """A load that was asked for."""

    def __init__(self, reason: str, before: frozenset[int]) -> None:
        self.reason = reason
        self.before = before
        self.signals = 0
        self._began_s = time.monotonic()

    @property
    def took_s(self) -> float:
        """So far."""
        return time.monotonic() - self._began_s

    def signal(self, server: Server) -> None:
        """Tell the server."""
        self.signals += 1
        server.signal(signal.SIGUSR2)


class _Check:
    """The check command, running."""

    def __init__(self, context: Context, files: Files, server_pid: int) -> None:
        self.files = files
        self.server_pid = server_pid
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._began_s = time.monotonic()
        self._child = Child(context.settings.reload_check)
        out, err = self._child.take_pipes()
        self._pump = Pump({out: "stdout", err: "stderr"}, self._hear)

    @property
    def took_s(self) -> float:
        """So far."""
        return time.monotonic() - self._began_s

    def problem(self) -> str | None:
        """None while it runs; then what is wrong, empty when nothing is."""
        ended = self._child.ended()
        if ended is None and self.took_s < CHECK_LIMIT_S:
            return None
        if ended is None:
            self._child.kill_group()
        self._pump.finish(_OUTPUT_LIMIT_S)
        if ended is not None and ended.code == 0:
            return ""
        how = "took too long" if ended is None else str(ended)
        return one_line(f"the check {how}: {' | '.join(self._lines)}", 1_000)

    def _hear(self, line: bytes, stream: str) -> None:
        text = line.decode(errors="replace")
        # The first complaints tell the cause; what follows is that there were any.
        if stream == "stderr" and len(self._lines) < _LINES_KEPT and "[NOTICE]" not in text and "[WARNING]" not in text:
            self._lines.append(text)


def children(pid: int) -> frozenset[int]:
    """Process ids of a process's children; none where the kernel does not tell."""
    try:
        return frozenset(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return frozenset()


def files_below(folder: Path) -> Files:
    """The regular files, links followed; what vanishes meanwhile is left out."""
    found: Files = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118 (in every tick)
            try:
                status = os.stat(path)  # noqa: PTH116
            except OSError:
                continue
            found[os.path.relpath(path, folder)] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _changed(before: Files, after: Files) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
