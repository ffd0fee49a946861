"""Commands that are killed with all they started: nothing is lost, the next one succeeds, nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import store
from tests.backup.far import Directory
from tests.backup.scene import Scene, kill_session, log_of
from tests.recovery.servers import CHROMA

pytestmark = [pytest.mark.process, pytest.mark.full, pytest.mark.timeout(900)]

SHARES = (0.1, 0.25, 0.4, 0.5, 0.7, 0.8, 0.9)
"""Of the time that a command takes, after which it is killed."""
KEEP_ONE = {"keep": {"last": 1, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0}}


def test_killed_commands_lose_nothing_and_leave_nothing(
    still: Scene, far: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    monkeypatch.setenv("BACKUP_REPORTS", str(reports))
    monkeypatch.setenv("BACKUP_SERVER", f"{sys.executable} {CHROMA} run --path {{path}} --port {{port}}")
    still.configure(bases=KEEP_ONE)
    log = log_of(still.store / "chroma.sqlite3")
    into = tmp_path / "back"
    still.run("now")
    still.run("restore", "--into", str(into))
    newest = still.run("now")["id"]
    commands = (("retain",), ("check", "--read-all"), ("drill",), ("restore", "--into", str(into), "--force"))
    for verb, *more in commands:
        took_s = 0.0
        for share in (None, *SHARES):
            if share is None:
                began_s = time.monotonic()
                still.run(verb, *more)
                took_s = time.monotonic() - began_s
                if verb == "retain":  # that there is something to remove again
                    newest = still.run("now")["id"]
            else:
                killed_after(still, took_s * share, verb, *more)
        listed = still.run("list")["bases"]
        assert listed[-1]["id"] == newest
        assert all(base["readable"] for base in listed)
        still.run(verb, *more)
        assert log_of(into / "chroma.sqlite3") == log, "it is the old one or the new one, whole"
    assert still.run("check", "--read-all")["problems"] == []
    assert [base["id"] for base in still.run("list")["bases"]] == [newest]
    assert store.verify(into, store.Depth.EMBEDDINGS).is_sound
    assert list((far.folder / "bases/locks").iterdir()) == []
    assert {entry.name for entry in (still.folder / "scratch").iterdir()} <= {"restic-cache", "drill.lock"}
    assert list((still.folder / "tmp").iterdir()) == []
    assert not (into / ".cortex/restoring").exists()


def killed_after(scene: Scene, seconds: float, verb: str, *more: str) -> None:
    """Start a command and kill it."""
    process = scene.begin(verb, *more)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill_session(process)
    else:
        process.communicate()
