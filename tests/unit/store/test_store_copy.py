"""Copying stores: beside a real writer, onto volumes, cut off in the middle, refused."""

import importlib.util
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import store
from store import cli, index, index_copy

HERE = Path(__file__).parent
Chroma = Callable[..., Any]


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


steady = loaded("steady_rows")


@contextmanager
def writer(path: Path, journal: Path, first: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes without a pause."""
    command = [sys.executable, HERE / "steady_rows.py", path, journal, str(first)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        yield child
    finally:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(timeout=60) == 0


def wait_for_writes(child: subprocess.Popen[bytes], journal: Path, count: int) -> None:
    deadline_s = time.monotonic() + 60
    while steady.acknowledged(journal) < count:
        assert child.poll() is None, "the writer ended"
        assert time.monotonic() < deadline_s, f"no {count} writes within 60 s"
        time.sleep(0.02)


@pytest.fixture
def prepared(store_of_kind: Callable[[str], Path]) -> Path:
    path = store_of_kind("fresh")
    store.prepare(path)
    return path


def embeddings(read: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    return {name: {row[0]: row[1] for row in rows} for name, rows in read.items()}


def newest_row(path: Path) -> int:
    database = sqlite3.connect(path / "chroma.sqlite3")
    try:
        return int(database.execute("SELECT max(seq_id) FROM embeddings_queue").fetchone()[0])
    finally:
        database.close()


@pytest.mark.process
def test_beside_a_writer_every_copy_is_a_moment_and_nothing_acknowledged_is_missing(
    prepared: Path, tmp_path: Path, chroma: Chroma, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_copy, "_WAIT_S", 0.02)
    journal = tmp_path / "journal"
    copies = []
    with writer(prepared, journal) as child:
        for number in range(3):
            wait_for_writes(child, journal, 40 + 20 * number)
            before = steady.acknowledged(journal)
            copies.append((before, store.copy(prepared, tmp_path / f"copy-{number}")))
    for before, done in copies:
        writes, expected = steady.after(done.newest_row)
        assert writes >= before, "an acknowledged write is missing"
        assert store.prepare(done.target, thorough=True).changed == ()
        assert embeddings(chroma("read", done.target)) == expected
    assert any(done.indexes for _, done in copies), "no copy had an index, so this shows little"


@pytest.mark.process
def test_a_copy_goes_on_by_itself(prepared: Path, tmp_path: Path, chroma: Chroma) -> None:
    journal = tmp_path / "journal"
    with writer(prepared, journal) as child:
        wait_for_writes(child, journal, 40)
        done = store.copy(prepared, tmp_path / "copy")
    writes, _ = steady.after(done.newest_row)
    journal.unlink()
    with writer(done.target, journal, writes) as child:
        wait_for_writes(child, journal, writes + 20)
    _, expected = steady.after(newest_row(done.target))
    assert embeddings(chroma("read", done.target)) == expected


@pytest.fixture
def churned(churned_store: tuple[Path, dict[str, Any]], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    path, read = churned_store
    return Path(shutil.copytree(path, tmp_path / "store")), read


def contents(path: Path) -> dict[str, bytes]:
    """All files but SQLite's shared memory, in which every reader leaves marks."""
    files = (file for file in path.rglob("*") if file.is_file() and not file.name.endswith("-shm"))
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_the_source_is_untouched_and_the_copy_complete(
    churned: tuple[Path, dict[str, Any]], tmp_path: Path, chroma: Chroma
) -> None:
    path, read = churned
    before = contents(path)
    done = store.copy(path, tmp_path / "copy")
    after = contents(path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {"chroma.sqlite3-wal"}
    assert (done.collections, done.indexes, done.left_out) == (2, 2, ())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["copy", "store"]
    assert not list(done.target.glob("chroma.sqlite3-*"))
    assert chroma("read", done.target) == read


def test_into_an_empty_directory_that_stays_itself(churned: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "lost+found").mkdir(parents=True)
    inode = volume.stat().st_ino
    store.copy(churned[0], volume)
    assert volume.stat().st_ino == inode
    assert store.inspect(volume).vectors == sum(map(len, churned[1].values()))
    assert not (volume / ".partial").exists()


def test_what_is_there_is_never_written_over(churned: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("text")
    for target in (other, other / "precious", churned[0]):
        with pytest.raises(store.TargetNotEmpty):
            store.copy(churned[0], target)
    assert [entry.name for entry in other.iterdir()] == ["precious"]


def test_a_log_that_may_lack_vectors_is_refused(store_of_kind: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(store.NotPrepared):
        store.copy(store_of_kind("purged"), tmp_path / "copy")
    assert not list(tmp_path.iterdir())


def test_from_the_process_that_has_it_open_is_refused(churned: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    descriptor = os.open(churned[0] / "chroma.sqlite3", os.O_RDONLY)
    try:
        with pytest.raises(store.StoreInUse, match="this very process"):
            store.copy(churned[0], tmp_path / "copy")
    finally:
        os.close(descriptor)


KILLED = """
import os, signal, sys, store
from store import staging, snapshot
moment = sys.argv[3]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "indexes":
    snapshot.take = die
elif moment == "database":
    staging._sync_all = die
else:
    os_rename, left = staging.Path.rename, int(moment)
    def rename(self, to):
        global left
        left -= 1
        if left < 0:
            die()
        return os_rename(self, to)
    staging.Path.rename = rename
store.copy(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("moment", ["indexes", "database", "0", "1", "2"])
@pytest.mark.parametrize("exists", [True, False])
def test_killed_it_leaves_no_store_and_the_next_one_succeeds(
    churned: tuple[Path, dict[str, Any]], tmp_path: Path, moment: str, exists: bool
) -> None:
    path, read = churned
    target = tmp_path / "target"
    if exists:
        target.mkdir()
    elif moment in {"1", "2"}:
        moment = "0"  # one rename publishes it
    command = [sys.executable, "-c", KILLED, path, target, moment]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (target / "chroma.sqlite3").exists()
    done = store.copy(path, target)
    assert done.indexes == 2
    assert store.inspect(target).vectors == sum(map(len, read.values()))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["store", "target"]


def vector_folder(path: Path, name: str) -> Path:
    return path / next(view.vector_segment for view in store.inspect(path).collections if view.name == name)


def test_a_torn_index_is_left_out_and_made_anew(
    churned: tuple[Path, dict[str, Any]], tmp_path: Path, chroma: Chroma, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_copy, "_WAIT_S", 0)
    path, read = churned
    ids = vector_folder(path, "plain") / "index_metadata.pickle"
    ids.write_bytes(ids.read_bytes()[:-5])
    done = store.copy(path, tmp_path / "copy")
    assert [(each.collection_name, done.indexes) for each in done.left_out] == [("plain", 1)]
    assert chroma("read", done.target) == read


def saving(folder: Path) -> None:
    (folder / "header.bin").touch()


def saved_after(folder: Path) -> None:
    for name in index.FILE_NAMES:
        (folder / name).touch()


@pytest.mark.parametrize("happens", [saving, saved_after])
def test_a_save_during_the_copy_is_noticed(
    churned: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[Path], None],
) -> None:
    folder = vector_folder(churned[0], "plain")
    copied = index_copy.copy_file
    calls = []

    def copy_file(source: Path, target: Path) -> None:
        copied(source, target)
        calls.append(source)
        if len(calls) <= 5:
            happens(folder)

    monkeypatch.setattr(index_copy, "copy_file", copy_file)
    monkeypatch.setattr(index_copy, "_WAIT_S", 0.2)
    monkeypatch.setattr(index_copy, "_TRIES", 3)
    if happens is saving:
        with pytest.raises(index.IndexTorn, match="a save is under way"):
            index_copy.copy_index(folder, tmp_path / "to", lambda: 7)
        assert not (tmp_path / "to").exists()
    else:
        assert index_copy.copy_index(folder, tmp_path / "to", lambda: 7) == 7
        assert len(calls) == 10
    rows = iter(range(99))
    with pytest.raises(index.IndexTorn):
        index_copy.copy_index(folder, tmp_path / "to", lambda: next(rows))


def test_command_line(churned: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(churned[0])
    assert cli.main(["copy", path, str(tmp_path / "one")]) == 0
    assert "2 collections, 300 log rows, 2 indexes" in capsys.readouterr().out
    assert cli.main(["copy", path, str(tmp_path / "two"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["log_rows"] == 300
    assert cli.main(["copy", path, str(tmp_path / "two")]) == 65
    with store.ActivityLock(churned[0], "repair"):
        assert cli.main(["copy", path, str(tmp_path / "three"), "--wait-s", "0.1"]) == 75
    assert "has to wait: repair" in capsys.readouterr().err
