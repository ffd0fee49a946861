"""A stock store is sent and received: the source is only read, and the target changes at the end or not at all."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import store
from store import cli, receiving, sending

Kind = Callable[[str], Path]
Chroma = Callable[..., Any]


HOLDING = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    database.execute(statement)
database.execute("SELECT * FROM collections").fetchall()
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def source(store_of_kind: Kind) -> Path:
    """As Chroma makes it, its log purged."""
    return store_of_kind("purged")


@pytest.fixture
def target(store_of_kind: Kind) -> Path:
    """A stack's store that was never used, with what an archiver and a guard note in it."""
    path = store_of_kind("fresh")
    store.prepare(path)
    notes = path / ".cortex"
    notes.mkdir(exist_ok=True)
    for name in ("lineage.json", "guard.json"):
        (notes / name).write_text("{}")
    return path


def sent(source: Path) -> bytes:
    out = io.BytesIO()
    sending.send(source, out)
    return out.getvalue()


def contents(path: Path) -> dict[str, tuple[bytes, int]]:
    """Without locks, and without what SQLite makes to read: an empty write-ahead log and its index."""
    files = [file for file in path.rglob("*") if file.is_file() and file.name not in {"lock", "closed", "archiving"}]
    files = [
        file for file in files if not file.name.endswith("-shm") and (file.stat().st_size or "-wal" not in file.name)
    ]
    return {str(file.relative_to(path)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_everything_arrives_and_is_durable_and_the_source_is_as_it_was(
    source: Path, target: Path, chroma: Chroma
) -> None:
    before, folder_before = contents(source), source.stat().st_mtime_ns
    stream = sent(source)
    assert (contents(source), source.stat().st_mtime_ns) == (before, folder_before)
    done = receiving.receive(io.BytesIO(stream), target, origin="volume:old")
    assert (done.collections, done.records, done.dimensions) == (1, 100, 4)
    assert done.databases == ("default_tenant/default_database",)
    assert done.log_rows_written > 50
    assert store.verify(target, store.Depth.EMBEDDINGS).is_sound
    assert store.prepare(target, thorough=True).changed == ()
    assert chroma("read", target) == chroma("read", source)


def test_what_was_there_is_aside_with_its_notes_so_that_a_new_archive_begins(source: Path, target: Path) -> None:
    done = receiving.receive(io.BytesIO(sent(source)), target, origin="volume:old")
    assert store.inspect(Path(done.moved_aside)).collections == ()
    assert not (target / ".cortex/lineage.json").exists()
    assert not (target / ".cortex/guard.json").exists()
    assert json.loads((target / ".cortex/restored.json").read_text())["from"] == "volume:old"
    assert {entry.name for entry in (target / ".cortex").iterdir()} <= {
        "lock",
        "closed",
        "archiving",
        "activity",
        "aside",
        "restored.json",
    }


def test_a_store_with_collections_is_refused_unless_forced(source: Path, store_of_kind: Kind, chroma: Chroma) -> None:
    target = store_of_kind("few")
    store.prepare(target)
    before = contents(target)
    with pytest.raises(store.TargetNotEmpty, match=r"1 collections with 10 records \(texts\).*--force"):
        receiving.receive(io.BytesIO(sent(source)), target)
    assert contents(target) == before
    done = receiving.receive(io.BytesIO(sent(source)), target, force=True)
    assert store.inspect(Path(done.moved_aside)).vectors == 10
    assert chroma("read", target) == chroma("read", source)


def test_into_a_directory_that_is_not_there(source: Path, tmp_path: Path) -> None:
    done = receiving.receive(io.BytesIO(sent(source)), tmp_path / "new")
    assert (done.records, done.moved_aside) == (100, "")


def test_what_a_killed_server_left_is_sent_too(store_of_kind: Kind, tmp_path: Path, chroma: Chroma) -> None:
    killed = store_of_kind("killed")
    assert (killed / "chroma.sqlite3-wal").stat().st_size > 0
    before = contents(killed)
    receiving.receive(io.BytesIO(sent(killed)), tmp_path / "new")
    assert contents(killed) == before
    assert chroma("read", tmp_path / "new") == chroma("read", killed)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
@pytest.mark.parametrize("transaction", ["", "BEGIN EXCLUSIVE"])
def test_a_store_in_use_is_not_sent(source: Path, journal: str, transaction: str) -> None:
    command = [
        sys.executable,
        "-c",
        HOLDING,
        source / "chroma.sqlite3",
        f"PRAGMA journal_mode = {journal}",
        transaction,
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(store.StoreInUse, match="Stop the server"):
            sent(source)
        holder.communicate()
    assert sent(source)


def test_a_writer_whose_process_cannot_be_seen_is_noticed_by_its_lock(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "check_unused", lambda _path: None)
    command = [sys.executable, "-c", HOLDING, source / "chroma.sqlite3", "BEGIN EXCLUSIVE"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(store.StoreInUse, match="is locked"):
            sent(source)
        holder.communicate()


def test_a_store_that_changes_while_it_is_read_gets_no_end(source: Path) -> None:
    class Changing(io.BytesIO):
        def write(self, data: Any) -> int:
            (source / "chroma.sqlite3").touch()
            return super().write(data)

    with pytest.raises(store.StoreInUse, match="changed while it was read"):
        sending.send(source, Changing())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
def test_a_stream_that_breaks_off_changes_nothing(source: Path, target: Path, share: float) -> None:
    stream, before = sent(source), contents(target)
    with pytest.raises(store.StoreDamaged, match=r"did not come whole|is not what"):
        receiving.receive(io.BytesIO(stream[: int(share * len(stream))]), target)
    assert contents(target) == before


def test_a_missing_last_word_is_noticed(source: Path, target: Path) -> None:
    cut = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(sent(source))) as whole, tarfile.open(fileobj=cut, mode="w") as tar:
        for entry in whole:
            if entry.name != sending.END:
                tar.addfile(entry, whole.extractfile(entry))
    with pytest.raises(store.StoreDamaged, match="ended before its end"):
        receiving.receive(io.BytesIO(cut.getvalue()), target)


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "chroma.sqlite3-shm", ".cortex/lock", "a/b", "x" * 36])
def test_files_of_other_names_are_refused(target: Path, name: str) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        sending._add(tar, sending.HEAD, {"files": 1, "bytes": 2})
        sending._add(tar, name, {})
    before = contents(target)
    with pytest.raises(store.StoreDamaged, match="no file of a store"):
        receiving.receive(io.BytesIO(out.getvalue()), target)
    assert contents(target) == before


def test_a_damaged_store_is_refused_and_nothing_changes(source: Path, target: Path) -> None:
    (ids,) = source.glob("*/index_metadata.pickle")
    ids.write_bytes(ids.read_bytes()[:-3])
    before = contents(target)
    with pytest.raises(store.StoreDamaged, match="cannot be adopted"):
        receiving.receive(io.BytesIO(sent(source)), target)
    assert contents(target) == before


def test_without_room_nothing_is_written(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_MARGIN_BYTES", 1 << 60)
    with pytest.raises(store.StoreError, match="make room"):
        receiving.receive(io.BytesIO(sent(source)), target)


KILLED = """
import os, pathlib, signal, sys
from store import receiving, staging
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
step = sys.argv[2]
if step == "publish":
    rename = pathlib.Path.rename
    def once(self, target):
        if self.name == "chroma.sqlite3" and ".partial" in str(self):
            die()
        return rename(self, target)
    pathlib.Path.rename = once
else:
    setattr(receiving, step, die)
receiving.receive(sys.stdin.buffer, pathlib.Path(sys.argv[1]), force=True)
"""


@pytest.mark.parametrize("step", ["sync", "adopt", "verify", "inspect", "move_aside", "_put_in_place", "publish"])
def test_killed_at_any_step_the_next_run_does_it_and_nothing_is_left(
    source: Path, store_of_kind: Kind, chroma: Chroma, step: str
) -> None:
    target = store_of_kind("few")
    store.prepare(target)
    before = {name: value for name, value in contents(target).items() if not name.startswith(".cortex")}
    command = [sys.executable, "-c", KILLED, target, step]
    ended = subprocess.run(command, input=sent(source), check=False, capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    there = contents(target)
    if step in {"_put_in_place", "publish"}:
        (old,) = (target / ".cortex/aside").iterdir()
        there = contents(old)
    assert {name: there[name] for name in before} == before
    done = receiving.receive(io.BytesIO(sent(source)), target, force=True)
    assert done.records == 100
    assert not (target / ".cortex/importing").exists()
    assert not (target / ".partial").exists()
    assert chroma("read", target) == chroma("read", source)


def test_command_line(source: Path, store_of_kind: Kind, capfd: pytest.CaptureFixture[str]) -> None:
    target, again = store_of_kind("fresh"), store_of_kind("few")
    python = [sys.executable, "-m", "store"]
    out = subprocess.run([*python, "send", source], check=True, capture_output=True, timeout=60).stdout
    done = subprocess.run(
        [*python, "receive", target, "--json"], input=out, check=True, capture_output=True, timeout=60
    )
    assert json.loads(done.stdout)["records"] == 100
    assert b'"what": "copying"' in done.stderr
    refused = subprocess.run([*python, "receive", again], input=out, check=False, capture_output=True, timeout=60)
    assert (refused.returncode, refused.stdout) == (65, b"")
    forced = subprocess.run([*python, "receive", again, "--force"], input=out, check=True, capture_output=True)
    assert b"100 records in 1 collections" in forced.stdout
    assert cli.main(["send", str(source / "nowhere")]) == 65
