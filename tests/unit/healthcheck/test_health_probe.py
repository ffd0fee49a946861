"""The probe as Docker runs it: against servers that are well, ill, silent, slow, rude and huge."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from healthcheck import install, probe

BODY = {
    "status": "ok",
    "canary": {"ok": True, "age_s": 3.5, "write_ms": 2.0, "read_ms": 1.0, "error": None},
}
Behaviour = Callable[[socket.socket], None]


def http(body: dict[str, object], status: int = 200) -> bytes:
    text = json.dumps(body).encode()
    return (
        f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
    )


def says(reply: bytes, *, keep_open: bool = False) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(reply)
        if keep_open:
            connection.recv(1)

    return behave


def silent(connection: socket.socket) -> None:
    """Answers nothing until the other side gives up."""
    while connection.recv(65536):
        pass


def drips(connection: socket.socket) -> None:
    """A byte at a time, without end: no single wait is long."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def floods(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


@contextlib.contextmanager
def serving(behave: Behaviour) -> Iterator[int]:
    """A TCP server which treats its first connection so; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                behave(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=10)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("HEALTH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HEALTH_STORE_PATH", str(tmp_path))
    monkeypatch.setenv("HEALTH_MEMORY_PERCENT", "100")
    monkeypatch.setenv("HEALTH_DISK_PERCENT", "100")
    monkeypatch.setenv("HEALTH_TIMEOUT_S", "5")
    return monkeypatch


def run(
    capfd: pytest.CaptureFixture[str], port: int, environment: pytest.MonkeyPatch
) -> tuple[int, dict[str, str], str]:
    """Exit code, and by name the verdict and the message."""
    environment.setenv("HEALTH_URL", f"http://127.0.0.1:{port}/healthz")
    code = probe.main(["--json"])
    found = json.loads(capfd.readouterr().out)
    return code, {each["name"]: each["verdict"] for each in found["judgements"]}, found["judgements"][0]["message"]


def test_healthy(capfd: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> None:
    with serving(says(http(BODY))) as port:
        code, verdicts, _ = run(capfd, port, environment)
    assert code == 0
    assert verdicts == dict.fromkeys(["api", "canary", "memory", "disk", "inodes"], "ok")


def test_a_server_that_keeps_the_connection_open_costs_no_time(
    capfd: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch
) -> None:
    start_s = time.monotonic()
    with serving(says(http(BODY), keep_open=True)) as port:
        code, _, _ = run(capfd, port, environment)
    assert code == 0
    assert time.monotonic() - start_s < 2


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (says(http({**BODY, "status": "failing"}, 503)), "says that it is failing"),
        (says(http({**BODY, "status": "starting"}, 503)), "starting"),
        (says(http({**BODY, "status": "stopping"}, 503)), "stopping"),
        (says(b""), "without a word"),
        (says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "not with HTTP"),
        (says(b"\x00\xff" * 100), "not with HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n<html>"), "not with a JSON object (HTTP status 200)"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n[1]"), "not with a JSON object"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n{} {}"), "not with a JSON object"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"a":' * 5000), "not with a JSON object"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), "not with a JSON object"),
        (says(b"HTTP/1.1 abc\r\n\r\n{}"), "not with HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n\xff"), "not with a JSON object"),
        (floods, "more than 65536 bytes"),
    ],
)
def test_unhealthy(
    capfd: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch, behave: Behaviour, words: str
) -> None:
    with serving(behave) as port:
        code, verdicts, message = run(capfd, port, environment)
    assert code == 1
    assert verdicts["api"] == "failing"
    assert words in message


@pytest.mark.parametrize("behave", [silent, drips])
def test_the_timeout_holds_for_the_whole(
    capfd: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch, behave: Behaviour
) -> None:
    environment.setenv("HEALTH_TIMEOUT_S", "0.3")
    start_s = time.monotonic()
    with serving(behave) as port:
        code, verdicts, message = run(capfd, port, environment)
        took_s = time.monotonic() - start_s
    assert code == 1
    assert verdicts == {"api": "failing", "canary": "unknown", "memory": "ok", "disk": "ok", "inodes": "ok"}
    assert "did not answer in time" in message
    assert 0.25 < took_s < 2


def test_nothing_listens(capfd: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    code, _, message = run(capfd, port, environment)
    assert code == 1
    assert f"nothing listens on 127.0.0.1:{port}" in message


@pytest.mark.parametrize(
    ("name", "value", "judgement", "verdict", "code"),
    [
        ("HEALTH_MEMORY_PERCENT", "1", "memory", "failing", 1),
        ("HEALTH_DISK_PERCENT", "1", "disk", "failing", 1),
        ("HEALTH_STORE_BYTES", "1", "disk", "failing", 1),
        ("HEALTH_CANARY_MAX_AGE_S", "2", "canary", "failing", 1),
        ("HEALTH_STORE_PATH", "/nowhere/at/all", "disk", "unknown", 2),
    ],
)
def test_each_threshold_turns_it(  # noqa: PLR0917
    capfd: pytest.CaptureFixture[str],
    environment: pytest.MonkeyPatch,
    name: str,
    value: str,
    judgement: str,
    verdict: str,
    code: int,
) -> None:
    environment.setenv(name, value)
    with serving(says(http(BODY))) as port:
        found, verdicts, _ = run(capfd, port, environment)
    assert verdicts[judgement] == verdict
    assert found == code


def test_an_answer_without_canary_cannot_be_judged(
    capfd: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch
) -> None:
    with serving(says(http({"status": "ok"}))) as port:
        code, verdicts, _ = run(capfd, port, environment)
    assert (code, verdicts["canary"]) == (2, "unknown")


def test_text_has_a_line_for_each_and_fits_dockers_log(
    capfd: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch
) -> None:
    long = {"ok": False, "age_s": 1, "error": "x" * 20_000 + "\n" * 100}
    with serving(says(http({"status": "failing", "canary": long}, 503))) as port:
        environment.setenv("HEALTH_URL", f"http://127.0.0.1:{port}/")
        assert probe.main([]) == 1
    text = capfd.readouterr().out
    assert [line.split()[:2] for line in text.splitlines()] == [
        ["unhealthy:", "api,"],
        ["failing", "api"],
        ["failing", "canary"],
        ["ok", "memory"],
        ["ok", "disk"],
        ["ok", "inodes"],
    ]
    assert len(text.encode()) < 2048


def test_bad_settings_are_all_told(capfd: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HEALTH_MEMORY_PERCENT", "much")
    environment.setenv("HEALTH_URL", "ftp://x")
    assert probe.main([]) == 2
    text = capfd.readouterr().out
    assert "HEALTH_MEMORY_PERCENT='much'" in text
    assert "HEALTH_URL='ftp://x'" in text
    assert probe.main(["--json"]) == 2
    assert len(json.loads(capfd.readouterr().out)["problems"]) == 2


def test_arguments(capfd: pytest.CaptureFixture[str]) -> None:
    assert probe.main(["--help"]) == 0
    assert "HEALTH_CANARY_MAX_AGE_S" in capfd.readouterr().out
    assert probe.main(["--jsno"]) == 2
    assert "unknown argument '--jsno'" in capfd.readouterr().out


def test_the_launcher_runs_it(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    launcher = tmp_path / "bin" / "healthcheck"
    subprocess.run([sys.executable, "-m", "healthcheck.install", launcher], check=True, timeout=60)
    with serving(says(http(BODY))) as port:
        environment.setenv("HEALTH_URL", f"http://127.0.0.1:{port}/")
        done = subprocess.run([launcher], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("healthy\n")
    assert subprocess.run([launcher, "--wrong"], check=False, capture_output=True, timeout=60).returncode == 2


def test_an_interpreter_that_no_first_line_can_name(tmp_path: Path) -> None:
    for python in (Path("/with blank/python3"), Path("/" + "x" * 130)):
        with pytest.raises(ValueError, match="first line"):
            install.install(tmp_path / "healthcheck", python, [tmp_path])


HEAVY = {
    "argparse", "asyncio", "chromadb", "collections", "dataclasses", "enum", "http", "inspect", "json", "logging",
    "pathlib", "psutil", "re", "selectors", "signal", "socket", "subprocess", "tempfile", "threading", "typing",
    "urllib",
}  # fmt: skip


def test_heavy_modules_are_not_imported(environment: pytest.MonkeyPatch) -> None:
    packages = str(Path(probe.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {packages!r})\n"
        "import healthcheck.measure; healthcheck.measure._host = lambda: (1, 2)\n"
        "from healthcheck.probe import main\n"
        "assert main([]) == 0\nsys.stderr.write(' '.join(sys.modules))"
    )
    with serving(says(http(BODY))) as port:
        environment.setenv("HEALTH_URL", f"http://127.0.0.1:{port}/")
        command = [sys.executable, "-I", "-S", "-c", code]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & HEAVY
    assert "healthcheck" in loaded
