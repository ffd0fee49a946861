"""A server with its archiver and a target, as bare processes, for as long as something is measured."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.backup.making import answering, make_empty_store, path_with_tools
from tests.backup.scene import Daemon, Scene, kill_session
from tests.bench.recovery_memory import Memory, Where
from tests.recovery.servers import Stock, wait_until

QUIET = {"RUST_LOG": "warn"}
"""Chroma's three lines a request are switched off in the image."""
HOURLY = {"schedule": "0 * * * *", "jitter_s": 0}
LIMIT_S = 900.0
READY_LIMIT_S = 300.0


@dataclass(frozen=True)
class Setting:
    """What all measurements share.

    Attributes:
        folder: For everything; each measurement removes what it made.
        kind: Of target: directory, s3, sftp.
        memory: Is told of every process of the backup.
    """

    folder: Path
    kind: str
    memory: Memory

    @property
    def empty(self) -> Path:
        """A prepared store without data, to be copied."""
        return self.folder / "empty"

    def prepare(self) -> None:
        """Make the empty store, and have the tools found."""
        os.environ["PATH"] = path_with_tools()
        make_empty_store(self.empty)


@dataclass(frozen=True)
class Stage:
    """All of it running, or to be started."""

    setting: Setting
    folder: Path
    server: Stock
    scene: Scene
    daemon: Daemon

    def start(self) -> None:
        """Begin the archive, and wait until all that the store has is at the target."""
        self.daemon.start()
        assert self.daemon.process is not None
        self.setting.memory.watch(self.daemon.process.pid, Where.ARCHIVER)
        self.scene.wait_archive(running=True, why="")

    def begin(self, verb: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the backup program."""
        process = self.scene.begin(verb, *arguments)
        self.setting.memory.watch(process.pid, Where.RESTORE if verb == "restore" else Where.ARCHIVER)
        return process

    def command(self, verb: str, *arguments: str) -> tuple[dict[str, Any], float]:
        """Run a command of the backup program: what it printed, and the seconds from its start to its end.

        Raises:
            AssertionError: it failed.
        """
        started_s = time.monotonic()
        process = self.begin(verb, *arguments)
        try:
            return self.scene.finish(process, verb, limit_s=LIMIT_S), time.monotonic() - started_s
        finally:
            if process.poll() is None:
                kill_session(process)

    def victims(self, command: subprocess.Popen[str]) -> list[int]:
        """All processes, in the order in which they are killed: first who could ship, then who could write."""
        return [*self.daemon.session(), command.pid, *self.server.session()]

    def strike(self, pids: Sequence[int] = ()) -> None:
        """SIGKILL to processes without another look at them, and then to what is left of all.

        A look takes time that the writers lose, in which the archive would catch up.
        """
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.daemon.kill()
        self.server.kill()

    def lose(self) -> None:
        """Remove what the machine had: the store, and what waits for the target."""
        shutil.rmtree(self.server.store)
        shutil.rmtree(self.folder / "staging")
        shutil.rmtree(self.folder / "scratch")
        (self.folder / "scratch").mkdir()


@contextlib.contextmanager
def stage(setting: Setting, name: str, **changes: Any) -> Iterator[Stage]:
    """A running server on an empty store, and an archiver that is not started yet.

    Args:
        setting: as shared by all.
        name: of a folder, which is removed at the end.
        changes: of the backup's configuration.
    """
    folder = setting.folder / name
    with answering(setting.kind, folder / "far") as far, serving(setting, folder / "server") as server:
        scene = Scene(folder, far, server.store, **changes)
        daemon = Daemon(scene)
        try:
            yield Stage(setting, folder, server, scene, daemon)
        finally:
            daemon.kill()
    shutil.rmtree(folder)


@contextlib.contextmanager
def serving(setting: Setting, folder: Path) -> Iterator[Stock]:
    """A running Chroma on an empty store that keeps its log."""
    server = Stock(folder, QUIET)
    shutil.copytree(setting.empty, server.store, dirs_exist_ok=True)
    try:
        server.start()
        server.wait_ready(READY_LIMIT_S)
        yield server
    finally:
        server.remove()


def wait_base(scene: Scene) -> None:
    """Until the daemon has made a base."""
    wait_until(lambda: bool(((scene.state() or {}).get("base") or {}).get("id")), "a base", LIMIT_S)
