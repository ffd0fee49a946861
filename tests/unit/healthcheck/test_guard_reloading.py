"""Files of a server that changed: checked, then loaded by the running server; what is wrong is told and left alone."""

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from healthcheck.actions import Phase
from healthcheck.board import Board
from healthcheck.context import Context
from healthcheck.limits import ServerKind
from healthcheck.loop import Loop
from healthcheck.notebook import Notebook
from healthcheck.output import Log
from healthcheck.reloading import Reloading, files_below
from healthcheck.settings import BadSettings, GuardSettings, load_settings
from healthcheck.supervise import Server

from healthcheck import reloading

QUIET = Log("", descriptor=os.open(os.devnull, os.O_WRONLY))
SERVER = """
import signal, sys, time
from pathlib import Path
files, told = Path(sys.argv[1]), Path(sys.argv[2])
def load(*_):
    with told.open("a") as out: out.write((files / "config").read_text() + "\\n")
signal.signal(signal.SIGUSR2, load)
load()
while True: time.sleep(60)
"""
DEAF = """
import os, signal, sys, time
from pathlib import Path
told, signals = Path(sys.argv[2]), []
def work(*_):
    signals.append(1)
    if len(signals) == 2: return  # the first signal after the start is missed
    with told.open("a") as out: out.write(f"{len(signals)}\\n")
    if os.fork() == 0:
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
        while os.getppid() != 1: time.sleep(0.05)
        os._exit(0)
signal.signal(signal.SIGUSR2, work)
work()
while True: time.sleep(60)
"""
CHECK = """
import sys
from pathlib import Path
text = Path(sys.argv[1], "config").read_text()
if text.startswith("bad"):
    sys.stderr.write("[NOTICE] version\\n[ALERT] unknown keyword 'bad'\\n")
    sys.exit(1)
"""


class Scene:
    """A server with its files, and the guard's parts around it; `tick` is one turn of the guard."""

    def __init__(self, tmp_path: Path) -> None:
        self.files, self.told = tmp_path / "files", tmp_path / "told"
        self.files.mkdir()
        self.write("first")
        settings = GuardSettings(
            server=ServerKind.NONE,
            state_path=str(tmp_path / "state.json"),
            reload_watch=str(self.files),
            reload_check=(sys.executable, "-IS", "-c", CHECK, str(self.files)),
        )
        self.loop = Loop(0.05)
        board = Board(settings.state_path, settings.tick_s, QUIET)
        self.context = Context(settings, (), QUIET, self.loop, board, Notebook(None))
        self.reloading = Reloading(self.context)
        self.loop.listen(self.reloading.poll)

    def start(self, program: str = SERVER) -> None:
        command = [sys.executable, "-IS", "-c", program, str(self.files), str(self.told)]
        self.context.server = Server(command, QUIET)
        board = self.context.board
        board.snapshot = dataclasses.replace(board.snapshot, phase=Phase.SERVING, ready=True)

    def write(self, text: str) -> None:
        made = self.files / ".new"
        made.write_text(text)
        made.replace(self.files / "config")

    def loaded(self) -> list[str]:
        return self.told.read_text().split() if self.told.exists() else []

    def until(self, condition: object) -> None:
        assert self.loop.wait(condition, 20, every_s=0.02), (self.loaded(), self.outcomes())  # type: ignore[arg-type]

    def outcomes(self) -> list[str]:
        return [action.outcome for action in self.context.board.actions]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    numbers = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)
    before = {number: signal.getsignal(number) for number in numbers}
    made = Scene(tmp_path)
    yield made
    if made.context.server is not None:
        made.context.server.stop(made.loop, 5)
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_changed_files_are_loaded_once(scene: Scene) -> None:
    scene.start()
    scene.until(lambda: scene.loaded() == ["first"])
    scene.write("second")
    scene.until(lambda: scene.outcomes() == ["done"])
    assert "config" in scene.context.board.actions[0].reason
    scene.loop.wait(lambda: False, 0.3)
    assert scene.loaded() == ["first", "second"]


def test_what_does_not_pass_is_told_and_not_loaded(scene: Scene) -> None:
    scene.start()
    scene.until(lambda: scene.loaded() == ["first"])
    scene.write("bad")
    scene.until(lambda: bool(scene.outcomes()))
    (outcome,) = scene.outcomes()
    assert outcome.startswith("refused: ")
    assert "unknown keyword 'bad'" in scene.context.remarks["files"]
    assert "[NOTICE]" not in outcome
    scene.loop.wait(lambda: False, 0.3)
    assert len(scene.outcomes()) == 1, "checked again although nothing changed"
    assert scene.loaded() == ["first"]
    scene.write("third")
    scene.until(lambda: scene.outcomes()[1:] == ["done"])
    assert scene.loaded() == ["first", "third"]
    assert scene.context.remarks == {}


def test_what_changes_while_there_is_no_server_is_not_missed(scene: Scene) -> None:
    scene.start()
    scene.until(lambda: scene.loaded() == ["first"])
    assert scene.context.server is not None
    scene.context.server.stop(scene.loop, 5)
    scene.write("second")
    scene.loop.wait(lambda: False, 0.2)
    assert scene.outcomes() == [], "nobody is there to load it"
    scene.start()
    scene.until(lambda: scene.loaded() == ["first", "second"])
    assert scene.loaded() == ["first", "second"]


def test_a_server_that_missed_the_signal_gets_it_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is seen by its children: those of before are still the only ones."""
    monkeypatch.setattr(reloading, "AGAIN_AFTER_S", 0.3)
    scene.start(DEAF)
    scene.until(lambda: scene.loaded() == ["1"])
    scene.write("second")
    scene.until(lambda: bool(scene.outcomes()))
    assert scene.loaded() == ["1", "3"]
    assert scene.outcomes() == ["done"]


def test_a_server_that_loads_nothing_is_told_of(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "AGAIN_AFTER_S", 0.1)
    scene.start(DEAF.replace("== 2", "> 1"))
    scene.until(lambda: scene.loaded() == ["1"])
    scene.write("second")
    scene.until(lambda: bool(scene.outcomes()))
    (outcome,) = scene.outcomes()
    assert outcome.startswith("failed")
    assert "did not load" in scene.context.remarks["files"]


def test_links_are_followed_and_folders_looked_into(tmp_path: Path) -> None:
    """As Kubernetes lays out the files of a secret: a link to a folder that is replaced."""
    for name in ("one", "two"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "key").write_text(name)
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "key").symlink_to(tmp_path / "data" / "current" / "key")
    current = tmp_path / "data" / "current"
    current.symlink_to("one")
    before = files_below(watched)
    assert list(before) == ["key"]
    current.unlink()
    assert files_below(watched) == {}
    current.symlink_to("two")
    assert files_below(watched) not in ({}, before)


def test_a_folder_needs_a_check() -> None:
    with pytest.raises(BadSettings, match="HEALTH_RELOAD_CHECK"):
        load_settings({"HEALTH_RELOAD_WATCH": "/run/files"})
