"""Every line of the container's log is a JSON object of bounded length, and nobody who reads slowly stops the guard."""

import contextlib
import json
import os
import time

import pytest
from healthcheck.output import LineBuffer, Log, Pump, is_json_object, wrapped


def test_lines_are_cut_where_they_end() -> None:
    buffer = LineBuffer()
    assert buffer.add(b"one\ntw") == [b"one"]
    assert buffer.add(b"o\r\n\n\nthree") == [b"two"]
    assert buffer.rest() == [b"three"]
    assert buffer.rest() == []


def test_of_a_line_that_is_too_long_the_beginning_is_kept() -> None:
    buffer = LineBuffer(max_bytes=10)
    assert buffer.add(b"x" * 25) == [b"x" * 10]
    assert buffer.add(b"x" * 25) == []
    assert buffer.add(b"tail\nnext\n") == [b"next"]
    assert buffer.add(b"y" * 12 + b"\n") == [b"y" * 10]


def test_memory_stays_small_whatever_comes() -> None:
    buffer = LineBuffer(max_bytes=100)
    for _ in range(1000):
        buffer.add(b"x" * 1000)
    assert len(buffer._left) <= 100


@pytest.mark.parametrize(
    ("line", "expected"),
    [(b'{"a": 1}', True), (b"{}", True), (b"{a}", False), (b"[1]", False), (b'{"a": 1} x', False), (b"text", False)],
)
def test_what_passes_unchanged(line: bytes, *, expected: bool) -> None:
    assert is_json_object(line) is expected


def test_text_is_wrapped() -> None:
    said = json.loads(wrapped(b'panic: \xff"quoted"', "server", "stderr", "dev"))
    assert said["message"] == 'panic: �"quoted"'
    assert (said["logger"], said["stream"], said["stack"], said["level"]) == ("server", "stderr", "dev", "info")
    assert said["timestamp"].endswith("Z")
    assert json.loads(wrapped(b"\x1b[38;5;203mred\x1b[0m", "server", "stdout", ""))["message"] == "red"


def test_the_pump_hands_on_both_streams_to_the_end() -> None:
    heard = []
    readers, writers = zip(os.pipe(), os.pipe(), strict=True)
    pump = Pump({readers[0]: "stdout", readers[1]: "stderr"}, lambda line, stream: heard.append((stream, line)))
    os.write(writers[0], b"one\ntwo")
    os.write(writers[1], b"bad\n")
    for writer in writers:
        os.close(writer)
    pump.finish(10)
    assert sorted(heard) == [("stderr", b"bad"), ("stdout", b"one"), ("stdout", b"two")]


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_the_guards_lines(pipe: tuple[int, int]) -> None:
    log = Log("dev", pipe[1])
    log.warning("disk.full", reason="é" * 10, path=os.fspath("/x"))
    said = json.loads(os.read(pipe[0], 65536))
    assert (said["message"], said["level"], said["logger"], said["stack"]) == ("disk.full", "warning", "guard", "dev")
    assert said["reason"] == "é" * 10


def test_a_long_line_of_the_guard_is_cut(pipe: tuple[int, int]) -> None:
    Log("dev", pipe[1]).failed("x", reason="y" * 10_000)
    line = os.read(pipe[0], 65536)
    assert len(line) <= 4096
    assert json.loads(line)["cut"] is True


def test_a_reader_that_stands_still_stops_nobody(pipe: tuple[int, int]) -> None:
    log = Log("dev", pipe[1])
    os.set_blocking(pipe[1], False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe[1], b"x" * 4096)
    os.set_blocking(pipe[1], True)
    started_s = time.monotonic()
    log.info("nobody reads this")
    assert time.monotonic() - started_s < 2
    assert log.dropped == 1
