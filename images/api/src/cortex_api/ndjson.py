"""Cutting a stream of bytes into lines, and lines into chunks of bounded size. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


class LineTooLong(ValueError):  # noqa: N818 -- named after the state
    """A line is longer than a chunk may be."""

    def __init__(self, number: int, limit_bytes: int) -> None:
        super().__init__(f"line {number} has more than {limit_bytes} bytes")
        self.number = number
        self.limit_bytes = limit_bytes


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not empty; `number` counts from 1 and counts empty ones too."""

    number: int
    data: bytes


class Chunker:
    """Feed bytes, get chunks of at most `max_rows` lines and about `max_bytes` bytes."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._partial = bytearray()
        self._chunk: list[Line] = []
        self._chunk_bytes = 0
        self._number = 0

    def feed(self, data: bytes) -> Iterator[list[Line]]:
        """Chunks that became full.

        Raises:
            LineTooLong: a line exceeds `max_bytes`.
        """
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._partial += piece
            yield from self._end_line()
        self._partial += rest
        self._require_short()

    def end(self) -> Iterator[list[Line]]:
        """The last line, which may lack its line feed, and the last chunk."""
        yield from self._end_line()
        if self._chunk:
            yield self._take()

    def _end_line(self) -> Iterator[list[Line]]:
        self._require_short()
        self._number += 1
        line = bytes(self._partial).strip()
        self._partial.clear()
        if not line:
            return
        if self._chunk_bytes + len(line) > self._max_bytes:
            yield self._take()
        self._chunk.append(Line(self._number, line))
        self._chunk_bytes += len(line)
        if len(self._chunk) >= self._max_rows:
            yield self._take()

    def _require_short(self) -> None:
        if len(self._partial) > self._max_bytes:
            raise LineTooLong(self._number + 1, self._max_bytes)

    def _take(self) -> list[Line]:
        chunk, self._chunk, self._chunk_bytes = self._chunk, [], 0
        return chunk
