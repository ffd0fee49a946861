"""The container's log: one JSON object per line on standard output, for the guard's lines and for the server's."""

from __future__ import annotations

import datetime
import json
import os
import re
import select
import threading
from collections.abc import Callable

MAX_LINE_BYTES = 65_536
"""A longer line is cut: it would take memory here and be split by container runtimes anyway (at 16 KiB by Docker)."""
_OWN_LINE_BYTES = 4_000
"""The guard's own lines fit into what a pipe takes at once (PIPE_BUF), so that a full pipe cannot stop its loop."""
_CHUNK_BYTES = 65_536
_SAY_WAIT_S = 0.2
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")


class Log:
    """Writes whole lines to standard output, from any thread."""

    def __init__(self, stack: str, descriptor: int = 1, logger: str = "guard") -> None:
        """Args: stack: put into every line. descriptor: where the lines go. logger: whose own lines these are."""
        self._stack = stack
        self._descriptor = descriptor
        self._logger = logger
        self._lock = threading.Lock()
        self.dropped = 0
        """Lines that nobody took: the reader of standard output stands still, or is gone."""

    def info(self, message: str, **fields: object) -> None:
        """Something that belongs to a good day."""
        self._say("info", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """Something that somebody should look at."""
        self._say("warning", message, fields)

    def failed(self, message: str, **fields: object) -> None:
        """Something that does not work."""
        self._say("error", message, fields)

    def pass_on(self, line: bytes, source: str, stream: str) -> None:
        """One line of a child. Waits until the reader of standard output has taken it, as the child would have.

        A line that is a JSON object is passed as it is, any other is wrapped into one.
        """
        text = line if is_json_object(line) else wrapped(line, source, stream, self._stack)
        with self._lock:
            try:
                _write_all(self._descriptor, text + b"\n")
            except OSError:  # nobody reads any more: the child must not stop for that
                self.dropped += 1

    def _say(self, level: str, message: str, fields: dict[str, object]) -> None:
        line = {"message": message, **fields, **_frame(level, self._logger, self._stack)}
        raw = json.dumps(line, ensure_ascii=False, default=str).encode(errors="replace")
        if len(raw) > _OWN_LINE_BYTES:
            shortened = {name: str(value)[:500] for name, value in list(fields.items())[:6]}
            line = {"message": message, **shortened, "cut": True, **_frame(level, self._logger, self._stack)}
            raw = json.dumps(line).encode(errors="replace")
        if not self._lock.acquire(timeout=_SAY_WAIT_S):
            self.dropped += 1
            return
        try:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            if poll.poll(1e3 * _SAY_WAIT_S):
                _write_all(self._descriptor, raw + b"\n")
            else:
                self.dropped += 1
        except OSError:
            self.dropped += 1
        finally:
            self._lock.release()


class Pump:
    """A thread that hands on what a child prints, until all its ends of the pipes are closed."""

    def __init__(
        self, streams: dict[int, str], hand_on: Callable[[bytes, str], None], max_line_bytes: int = MAX_LINE_BYTES
    ) -> None:
        """Start.

        Args:
            streams: descriptor → name; they are closed at their end.
            hand_on: gets each line without its end, and the stream's name.
            max_line_bytes: longer lines are cut.
        """
        self._streams = streams
        self._max_line_bytes = max_line_bytes
        self._hand_on = hand_on
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def finish(self, limit_s: float) -> None:
        """Wait until everything is handed on. A process that outlives the child may hold a pipe open: not for ever."""
        self._thread.join(limit_s)

    def _run(self) -> None:
        poll = select.poll()
        buffers = {descriptor: LineBuffer(self._max_line_bytes) for descriptor in self._streams}
        for descriptor in self._streams:
            poll.register(descriptor, select.POLLIN)
        while buffers:
            for descriptor, _ in poll.poll():
                raw = os.read(descriptor, _CHUNK_BYTES)
                lines = buffers[descriptor].add(raw) if raw else buffers[descriptor].rest()
                for line in lines:
                    self._hand_on(line, self._streams[descriptor])
                if not raw:
                    poll.unregister(descriptor)
                    os.close(descriptor)
                    del buffers[descriptor]


class LineBuffer:
    """Cuts a stream of bytes into lines of bounded length. Empty lines are left out."""

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._left = b""
        self._skipping = False

    def add(self, raw: bytes) -> list[bytes]:
        """The lines that are complete now. Of a line that is too long, the first part counts."""
        *whole, left = (self._left + raw).split(b"\n")
        lines = []
        for line in whole:
            if not self._skipping:
                lines.append(line[: self._max_bytes].rstrip(b"\r"))
            self._skipping = False
        if len(left) > self._max_bytes:
            if not self._skipping:
                lines.append(left[: self._max_bytes])
            self._skipping, left = True, b""
        self._left = b"" if self._skipping else left
        return [line for line in lines if line]

    def rest(self) -> list[bytes]:
        """What came without an end of line."""
        left, self._left = self._left, b""
        return [left] if left else []


def is_json_object(line: bytes) -> bool:
    """Whether a line can be passed on as it is."""
    if not (line.startswith(b"{") and line.endswith(b"}")):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def wrapped(line: bytes, source: str, stream: str, stack: str) -> bytes:
    """A line of plain text as a JSON object, without the colours that are meant for a terminal."""
    said = {
        "message": _COLOUR.sub(b"", line).decode(errors="replace"),
        "stream": stream,
        **_frame("info", source, stack),
    }
    return json.dumps(said, ensure_ascii=False).encode(errors="replace")


def _frame(level: str, logger: str, stack: str) -> dict[str, object]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"stack": stack, "level": level, "logger": logger, "timestamp": now}


def _write_all(descriptor: int, raw: bytes) -> None:
    while raw:
        raw = raw[os.write(descriptor, raw) :]
