"""A tick of the guard without a server: the clock, the notes, its own failures; and a start whose check fails."""

import json
import os
import time
from pathlib import Path

import pytest
from healthcheck.actions import Phase, Restart, RestartReason, SetWritable
from healthcheck.board import Board
from healthcheck.checking import UNVERIFIED, check
from healthcheck.context import Context, Refused
from healthcheck.ends import Check, Depth, End
from healthcheck.loop import Loop
from healthcheck.notebook import Notebook
from healthcheck.observation import Observation, ServerView
from healthcheck.operations import Done
from healthcheck.output import Log
from healthcheck.settings import GuardSettings
from healthcheck.watching import Watch

DUE = Check(Depth.EMBEDDINGS, 5, 6, "why")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    settings = GuardSettings(store_path=str(tmp_path), state_path=str(tmp_path / "state/health.json"))
    log = Log("", descriptor=os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY))
    board = Board(settings.state_path, settings.tick_s, log)
    return Context(settings, ("server",), log, Loop(1), board, Notebook(tmp_path))


def said(context: Context) -> list[str]:
    return [json.loads(line)["message"] for line in (context.store / "log").read_text().splitlines()]


def test_a_tick_publishes(context: Context) -> None:
    Watch(context).tick()
    state = json.loads((context.store / "state/health.json").read_text())
    assert state["judgements"][0]["name"] == "guard"
    assert state["verdict"] == "failing"
    assert context.notebook.notes.remembered.first_seen_wall_s is not None


def test_a_failing_tick_is_told_once_and_publishes_nothing(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(context)

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(watch, "look", broken)
        watch.tick()
        watch.tick()
    assert said(context).count("tick.failed") == 1
    assert not (context.store / "state/health.json").exists()
    watch.tick()
    assert (context.store / "state/health.json").exists()


def test_a_clock_that_is_set_back_moves_the_start_of_the_run(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(context)
    now_s = time.time()
    context.notebook.write(end=End.RUNNING, run_since_ns=int(1e9 * now_s))
    watch.tick()
    assert context.notebook.notes.run_since_ns == int(1e9 * now_s)
    monkeypatch.setattr(time, "time", lambda: now_s - 3600)
    watch.tick()
    assert context.notebook.notes.run_since_ns == pytest.approx(1e9 * (now_s - 3601), abs=1e9)
    assert "clock.set_back" in said(context)


def test_a_full_disk_is_noted_at_once(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(context)
    server = ServerView(running=True, pid=1, answered=True, status="ok", disk_full=True)
    monkeypatch.setattr(watch, "look", lambda: Observation(time.monotonic(), time.time(), server))
    watch.tick()
    assert context.notebook.notes.disk_full
    assert Notebook(context.store).notes.disk_full


def test_actions(context: Context) -> None:
    watch = Watch(context)
    watch._act(SetWritable(ok=False, message="full", retry_after_s=7))
    assert not context.board.snapshot.writable.ok
    watch._act(SetWritable(ok=False, message="fuller"))
    watch._act(SetWritable(ok=True, message="room"))
    assert [action.action for action in context.board.actions] == ["close for writes", "open for writes"]
    assert context.board.snapshot.writable.ok
    watch._act(Restart(RestartReason.WEDGED, "hangs"))
    assert watch.restart is not None


def answering(context: Context, monkeypatch: pytest.MonkeyPatch, *results: Done) -> list[tuple[str, ...]]:
    """Let the store's commands end so, one after the other; returns what was asked."""
    asked: list[tuple[str, ...]] = []
    left = list(results)

    def run(self: Context, name: str, *arguments: str, limit_s: float | None = None) -> Done:
        asked.append((name, *arguments))
        return left.pop(0)

    monkeypatch.setattr(Context, "look_at", run)
    monkeypatch.setattr(Context, "work_on", run)
    return asked


def done(code: int = 0, problem: str = "", **result: object) -> Done:
    return Done("verify", code, result, problem, 0.1)


def finding(remedy: str, kind: str = "index_torn") -> dict[str, object]:
    return {"kind": kind, "remedy": remedy, "collection_name": "a", "detail": "x"}


def test_a_sound_store_is_only_looked_at(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(context, monkeypatch, done(findings=[]))
    check(context, DUE)
    since = ("--only-changed-since-ns", "5", "--trust-log-since-ns", "6")
    assert asked == [("verify", "--depth", "embeddings", *since)]
    assert context.board.phase is Phase.VERIFYING
    assert not context.remarks


def test_what_can_be_mended_is(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    found = done(1, findings=[finding("rebuild"), finding("undecided", "disagreement")])
    asked = answering(context, monkeypatch, found, done(1), done(findings=[]))
    check(context, DUE)
    assert [each[0] for each in asked] == ["verify", "repair", "verify"]
    assert context.board.actions[-1].outcome == "done"
    assert "1 of them undecided" in context.remarks["unmended"]


def test_what_only_a_backup_decides_is_left_alone(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(context, monkeypatch, done(1, findings=[finding("undecided", "disagreement")]))
    check(context, DUE)
    assert [each[0] for each in asked] == ["verify"]
    assert "unmended" in context.remarks


@pytest.mark.parametrize(
    "result",
    [done(65, "no store"), done(75, "in use"), done(1, findings=[finding("restore", "sqlite_damaged")])],
)
def test_what_cannot_be_served(context: Context, monkeypatch: pytest.MonkeyPatch, result: Done) -> None:
    answering(context, monkeypatch, result)
    with pytest.raises(Refused) as refused:
        check(context, DUE)
    assert refused.value.exit_code == (result.exit_code if result.problem else 65)


def test_a_repair_that_fails_keeps_the_store_closed(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(context, monkeypatch, done(1, findings=[finding("rebuild")]), done(65, "read-only"))
    with pytest.raises(Refused, match="read-only"):
        check(context, DUE)
    assert context.board.actions[-1].outcome == "failed: read-only"


@pytest.mark.parametrize("code", [-9, -11, 1, 70])
def test_a_verification_that_fails_by_itself_does_not_close_the_store(
    context: Context, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    answering(context, monkeypatch, done(code, "was killed"))
    check(context, DUE)
    assert "was killed" in context.remarks[UNVERIFIED]
