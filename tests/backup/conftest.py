"""The backup tools on PATH, stores made once, and processes that are gone after each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import store
from tests.backup.far import S3, Directory, Far, Sftp
from tests.backup.scene import Daemon, Scene
from tests.recovery.servers import Stock
from tools.binaries import find
from tools.host import this_host
from tools.locations import locations
from tools.versions import BACKUP


@pytest.fixture(scope="session", autouse=True)
def tools_on_path() -> Iterator[None]:
    """litestream, restic and rclone: the toolchain's, or what somebody has put on PATH."""
    folders, missing = [], []
    for tool in BACKUP:
        if (found := find(tool, locations(), this_host())) is not None:
            folders.append(str(found.folder))
        elif shutil.which(tool.name) is None:
            missing.append(tool.name)
    if missing:
        pytest.fail(f"{', '.join(missing)} missing: `.venv/bin/python -m tools up` fetches or builds what is needed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join([*folders, os.environ["PATH"]]))
        yield


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store without data: making the tables takes longer than all else in a start."""
    folder = tmp_path_factory.mktemp("empty") / "store"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "cortex_api.schema", str(folder)], check=True, timeout=120)
    store.prepare(folder)
    return folder


@pytest.fixture
def server(empty_store: Path, tmp_path: Path) -> Iterator[Stock]:
    """A running Chroma on a prepared store."""
    running = Stock(tmp_path / "server")
    shutil.copytree(empty_store, running.store, dirs_exist_ok=True)
    running.start()
    running.wait_ready(180)
    yield running
    running.kill()


@pytest.fixture
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Far]:
    """The target that the test names (`directory`, `s3`, `sftp`), a directory by default; it answers."""
    kind = {"directory": Directory, "s3": S3, "sftp": Sftp}[getattr(request, "param", "directory")]
    made = kind(tmp_path / "far")
    made.start()
    yield made
    made.stop()
    if isinstance(made, Sftp):
        made.end()


@pytest.fixture
def still(empty_store: Path, tmp_path: Path, far: Far) -> Scene:
    """A scene whose store nobody writes."""
    folder = tmp_path / "store"
    shutil.copytree(empty_store, folder)
    return Scene(tmp_path, far, folder)


@pytest.fixture
def scene(server: Stock, tmp_path: Path, far: Far) -> Scene:
    """A scene around the running server."""
    return Scene(tmp_path, far, server.store)


@pytest.fixture
def daemon(scene: Scene) -> Iterator[Daemon]:
    """The daemon, not started yet."""
    made = Daemon(scene)
    yield made
    made.kill()
