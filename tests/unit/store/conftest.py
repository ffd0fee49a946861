"""Stores made by the real Chroma, once per run, copied for each test."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from store import prepare
from tests.unit.store import sound_store

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What works on stores that a real Chroma wrote takes seconds each."""
    for item in items:
        if {"made_stores", "sound_root", "chroma"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.process)


@pytest.fixture(scope="session")
def made_stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stores")
    subprocess.run([sys.executable, HERE / "make_stores.py", root], check=True, capture_output=True, timeout=120)
    shutil.copytree(root / "fresh", root / "killed")
    prepare(root / "killed")
    write_and_die(root / "killed", 200)
    shutil.copytree(root / "fresh", root / "killed-unprepared")
    write_and_die(root / "killed-unprepared", 200)
    return root


@pytest.fixture(scope="session")
def churned_store(made_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A prepared store in which most log rows are superseded, and what Chroma reads from it. Copy it before use."""
    path = tmp_path_factory.mktemp("churned") / "store"
    shutil.copytree(made_stores / "fresh", path)
    prepare(path)
    return path, chroma_rows("write", path, 1, 150, 40)


@pytest.fixture
def store_of_kind(made_stores: Path) -> Iterator[Callable[[str], Path]]:
    """Copies a kind of store to where any user of the machine can reach it."""
    directory = Path(tempfile.mkdtemp(prefix="store-"))
    directory.chmod(0o755)

    def copy(kind: str) -> Path:
        return Path(shutil.copytree(made_stores / kind, directory / kind))

    yield copy
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def sound_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `store`, made by the real Chroma, and `expected.json`, what is in it."""
    root = tmp_path_factory.mktemp("sound")
    sound_store.make(root)
    return root


@pytest.fixture
def sound(sound_root: Path, tmp_path: Path) -> Path:
    """A copy of the store, with the times of its files."""
    return Path(shutil.copytree(sound_root / "store", tmp_path / "store"))


def write_and_die(store: Path, count: int) -> None:
    """Chroma writes so many rows to the store and is killed."""
    command = [sys.executable, HERE / "write_rows.py", store, str(count)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == -9, done.stderr


def chroma_rows(verb: str, store: Path, *more: int | Path) -> Any:
    """What the real Chroma reads from the store, after writing to it when told so; a list for several stores."""
    command = [sys.executable, HERE / "chroma_rows.py", verb, store, *map(str, more)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def chroma() -> Callable[..., Any]:
    return chroma_rows
