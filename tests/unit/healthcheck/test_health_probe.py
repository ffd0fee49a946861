"""The exec probe as Docker runs it: on states that are well, ill, stale, missing and not a state at all."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from healthcheck import install, probe

OK = {"name": "disk", "value": 24.5, "limit": 80, "unit": "%", "verdict": "ok", "message": "22 GiB of 91 GiB"}
FULL = {**OK, "name": "memory", "value": 91.0, "verdict": "degraded", "message": "466 MiB of 512 MiB"}
DOWN = {"name": "server", "value": None, "limit": None, "unit": "", "verdict": "failing", "message": "not running"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a state of the guard, `age_s` seconds old, and points the probe at it."""
    path = tmp_path / "health.json"
    monkeypatch.setenv("HEALTH_STATE_PATH", str(path))
    monkeypatch.delenv("HEALTH_TICK_S", raising=False)

    def write(verdict: str = "ok", judgements: list[dict[str, object]] | None = None, *, age_s: float = 0.1) -> Path:
        shown = [OK] if judgements is None else judgements
        said = {"version": 1, "at_s": time.monotonic() - age_s, "phase": "serving", "verdict": verdict}
        path.write_text(json.dumps({**said, "judgements": shown}))
        return path

    return write


@pytest.mark.parametrize(
    ("verdict", "judgements", "code", "headline"),
    [
        ("ok", [OK], 0, "healthy"),
        ("degraded", [OK, FULL], 1, "degraded: memory"),
        ("failing", [OK, FULL, DOWN], 1, "unhealthy: memory, server"),
        ("unknown", [], 2, "cannot tell"),
        ("splendid", [OK], 2, "cannot tell"),
    ],
)
def test_the_verdict_decides(  # noqa: PLR0917
    state: Any,
    capfd: pytest.CaptureFixture[str],
    verdict: str,
    judgements: list[dict[str, object]],
    code: int,
    headline: str,
) -> None:
    state(verdict, judgements)
    assert probe.main([]) == code
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == headline
    assert len(lines) == 1 + len(judgements)


def test_what_is_not_ok_comes_first(state: Any, capfd: pytest.CaptureFixture[str]) -> None:
    state("failing", [OK, FULL, DOWN])
    probe.main([])
    assert [line.split()[1] for line in capfd.readouterr().out.splitlines()[1:]] == ["memory", "server", "disk"]


@pytest.mark.parametrize(
    ("tick_s", "age_s", "code"),
    [("1", 4.5, 0), ("1", 5.5, 1), ("0.1", 2.0, 0), ("0.1", 2.6, 1), ("10", 31, 0), ("10", 33, 1), ("1", -60, 1)],
)
def test_a_state_of_three_ticks_and_two_seconds_ago_is_stale(  # noqa: PLR0917
    state: Any,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tick_s: str,
    age_s: float,
    code: int,
) -> None:
    monkeypatch.setenv("HEALTH_TICK_S", tick_s)
    state(age_s=age_s)
    assert probe.main([]) == code
    assert ("its loop stands still" in capfd.readouterr().out) == (code == 1)
    assert probe.main(["--json"]) == code
    assert json.loads(capfd.readouterr().out)["verdict"] == ("stale" if code else "ok")


def test_json_is_the_state_with_its_age(state: Any, capfd: pytest.CaptureFixture[str]) -> None:
    state(age_s=1.0)
    assert probe.main(["--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert said["judgements"] == [OK]
    assert said["age_s"] == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        "[" * 100_000,
        '{"version": 2}',
        '{"version": 1, "at_s": 1.0}',
        '{"version": 1, "judgements": []}',
        '{"version": 1, "at_s": "1", "judgements": []}',
        '{"version": 1, "at_s": 1.0, "judgements": []} {}',
    ],
)
def test_what_is_no_state_cannot_be_judged(state: Any, capfd: pytest.CaptureFixture[str], text: str) -> None:
    state().write_text(text)
    assert probe.main([]) == 2
    assert "cannot tell: " in capfd.readouterr().out


def test_no_state_yet(state: Any, capfd: pytest.CaptureFixture[str]) -> None:
    state().unlink()
    assert probe.main([]) == 2
    assert "no guard has published" in capfd.readouterr().out
    assert probe.main(["--json"]) == 2
    assert "no guard has published" in json.loads(capfd.readouterr().out)["problem"]


def test_bytes_that_are_no_text(state: Any) -> None:
    state().write_bytes(b"\xff\xfe{}")
    assert probe.main([]) == 2


@pytest.mark.parametrize("tick", ["soon", "0", "-1", "nan", "61"])
def test_a_bad_tick_is_told(
    state: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tick: str
) -> None:
    state()
    monkeypatch.setenv("HEALTH_TICK_S", tick)
    assert probe.main([]) == 2
    assert f"HEALTH_TICK_S={tick!r}" in capfd.readouterr().out


def test_arguments(state: Any, capfd: pytest.CaptureFixture[str]) -> None:
    state()
    assert probe.main(["--help"]) == 0
    assert "HEALTH_STATE_PATH" in capfd.readouterr().out
    assert probe.main(["--jsno"]) == 2
    assert "unknown argument '--jsno'" in capfd.readouterr().out


def test_the_launcher_runs_it(tmp_path: Path, state: Any) -> None:
    launcher = tmp_path / "bin" / "healthcheck"
    subprocess.run([sys.executable, "-m", "healthcheck.install", launcher], check=True, timeout=60)
    state()
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
    "pathlib", "prometheus_client", "psutil", "re", "selectors", "signal", "socket", "store", "subprocess", "tempfile",
    "threading", "typing", "urllib",
}  # fmt: skip


def test_heavy_modules_are_not_imported(state: Any) -> None:
    state()
    packages = str(Path(probe.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {packages!r})\n"
        "from healthcheck.probe import main\n"
        "assert main([]) == 0\nsys.stderr.write(' '.join(sys.modules))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & HEAVY
    assert "healthcheck" in loaded
