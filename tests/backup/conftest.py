"""The backup tools on PATH, stores made once, and processes that are gone after each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup.far import Far
from tests.backup.making import ToolsMissing, answering, make_empty_store, path_with_tools
from tests.backup.scene import Daemon, Scene
from tests.recovery.servers import Stock


@pytest.fixture(scope="session", autouse=True)
def tools_on_path() -> Iterator[None]:
    """litestream, restic and rclone."""
    try:
        path = path_with_tools()
    except ToolsMissing as missing:
        pytest.fail(str(missing))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)
        yield


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store without data: making the tables takes longer than all else in a start."""
    folder = tmp_path_factory.mktemp("empty") / "store"
    make_empty_store(folder)
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
    with answering(getattr(request, "param", "directory"), tmp_path / "far") as made:
        yield made


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
