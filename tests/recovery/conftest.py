"""Stores made once per run, and guards that are gone after each test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

import store
from tests.recovery.guards import Watched

KEPT_ROWS = 300
_MAKE_ROWS = f"""
import chromadb, os, sys
client = chromadb.PersistentClient(sys.argv[1])
hnsw = {{"sync_threshold": 100, "batch_size": 50}}
kept = client.create_collection("kept", embedding_function=None, configuration={{"hnsw": hnsw}})
for first in range(0, {KEPT_ROWS}, 100):
    rows = range(first, first + 100)
    kept.add(ids=[f"r{{n}}" for n in rows], embeddings=[[1.0, n, 0.5, 0.25] for n in rows])
os._exit(0)
"""
_Guard = TypeVar("_Guard", bound=Watched)
StartGuard = Callable[..., Watched]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store without data: making the tables takes longer than all else in a start."""
    folder = tmp_path_factory.mktemp("empty") / "store"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "cortex_api.schema", str(folder)], check=True, timeout=60)
    store.prepare(folder)
    return folder


@pytest.fixture(scope="session")
def full_store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store with a collection of `KEPT_ROWS` rows and its saved index."""
    folder = tmp_path_factory.mktemp("full") / "store"
    shutil.copytree(empty_store, folder)
    subprocess.run([sys.executable, "-c", _MAKE_ROWS, str(folder)], check=True, timeout=60)
    return folder


@pytest.fixture
def start_guard(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Starts a guard on a copy of a store, or again in the folder of an earlier one; waits until it serves."""
    started: list[Watched] = []

    def run(
        kind: type[_Guard] = Watched,  # type: ignore[assignment]
        on: Path | None = None,
        *,
        again: Watched | None = None,
        ready: bool = True,
        **variables: object,
    ) -> _Guard:
        folder = again.folder if again else tmp_path / str(len(started))
        if on is not None:
            shutil.copytree(on, folder / "store")
        command = {"command": variables.pop("command")} if "command" in variables else {}
        guard = kind(folder, variables, **command)
        started.append(guard)
        guard.start()
        if ready:
            guard.wait_ready()
        return guard

    yield run
    for each in started:
        each.kill()
