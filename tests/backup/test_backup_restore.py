"""What comes back is what was acknowledged: from archive and base, from either alone, at any moment, after any kill."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from backup.restoring.wanted import in_words

import store
from tests.backup.scene import Daemon, Scene, kill_session, log_of
from tests.backup.writing import Writing
from tests.recovery.servers import Stock, wait_until

ANY = pytest.mark.parametrize("far", ["directory", "s3", "sftp"], indirect=True)


@ANY
def test_the_newest_log_comes_back_with_the_indexes_of_the_base(
    scene: Scene, server: Stock, daemon: Daemon, tmp_path: Path
) -> None:
    writing = Writing(server, tmp_path)
    daemon.start()
    scene.wait_archive(running=True)
    writing.start()
    writing.more(400)
    scene.wait_shipped(time.time())
    base = scene.run("now", "--wait-s", "60")
    writing.more(400)
    writing.stop()
    shipped_s = time.time()
    scene.wait_shipped(shipped_s)
    server.kill()
    daemon.kill()

    done = scene.run("restore", "--into", str(tmp_path / "back"))
    assert (done["source"], done["base"], done["notes"]) == ("archive and base", base["id"], [])
    assert (done["missing_rows"], done["missing_s"]) == (0, 0)
    assert log_of(tmp_path / "back/chroma.sqlite3") == log_of(server.store / "chroma.sqlite3")
    assert store.verify(tmp_path / "back", store.Depth.EMBEDDINGS).is_sound
    assert json.loads((tmp_path / "back/.cortex/restored.json").read_text())["base"] == base["id"]

    alone = scene.run("restore", "--to", base["id"], "--into", str(tmp_path / "alone"))
    assert (alone["source"], alone["newest_row"]) == ("base", base["newest_row"])


def test_a_moment_holds_all_that_was_written_before_and_nothing_later(
    scene: Scene, server: Stock, daemon: Daemon, tmp_path: Path
) -> None:
    client = server.connect()
    client.create("steps", "l2", 4)
    daemon.start()
    scene.wait_archive(running=True)
    written: list[tuple[str, float, float]] = []
    for number in range(30):
        began_s = time.time()
        client.write("steps", [f"r{number}"], np.array([[number, 1, 2, 3]], dtype=np.float32), [f"text {number}"])
        written.append((f"r{number}", began_s, time.time()))
        wait_until(lambda: time.time() > written[-1][2] + 0.3, "a moment to pass")
    scene.wait_shipped(time.time())
    for asked in (7, 15, 24):
        moment_s = written[asked][2] + 0.25
        done = scene.run("restore", "--to", in_words(moment_s), "--into", str(tmp_path / f"at-{asked}"))
        there = ids_in(tmp_path / f"at-{asked}")
        assert {id_ for id_, began_s, _ in written if began_s > moment_s} & there == set(), "nothing later"
        assert {id_ for id_, _, ended_s in written if ended_s < moment_s - 2} <= there, "steps of about a second"
        assert done["until_s"] <= moment_s
    early = scene.run("restore", "--to", "2020-01-01T00:00:00Z", "--into", str(tmp_path / "early"), code=65)
    assert early["error"] == "NoBase"
    client.close()


def test_a_store_is_never_written_over_but_moved_aside(still: Scene, tmp_path: Path) -> None:
    base = still.run("now")
    refused = still.run("restore", "--into", str(still.store), code=65)
    assert refused["error"] == "NotEmpty"
    before = log_of(still.store / "chroma.sqlite3")
    done = still.run("restore", "--into", str(still.store), "--force")
    assert done["base"] == base["id"]
    assert log_of(Path(done["moved_aside"]) / "chroma.sqlite3") == before
    assert not (still.store / ".cortex/lineage.json").exists(), "a new history begins"


@pytest.mark.parametrize("after_s", [0.5, 1.5, 3.0])
def test_a_killed_restore_leaves_nothing_and_the_next_succeeds(still: Scene, tmp_path: Path, after_s: float) -> None:
    still.run("now")
    into = tmp_path / "back"
    process = still.begin("restore", "--into", str(into))
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        kill_session(process)
    else:
        process.communicate()
    if (into / "chroma.sqlite3").exists():
        assert store.verify(into, store.Depth.EMBEDDINGS).is_sound, "it is there at once, or not at all"
        return
    still.run("restore", "--into", str(into))
    assert store.verify(into, store.Depth.EMBEDDINGS).is_sound
    left = {entry.name for entry in into.iterdir()} | {entry.name for entry in (into / ".cortex").iterdir()}
    assert {".partial", "restoring"}.isdisjoint(left)
    assert {entry.name for entry in (still.folder / "scratch").iterdir()} <= {"restic-cache"}


def test_two_writers_of_one_store_are_kept_apart(still: Scene, tmp_path: Path) -> None:
    still.run("now")
    with store.WriterLock(tmp_path) as lock:
        assert lock.predecessor is None
        refused = still.run("restore", "--into", str(tmp_path), "--force", code=75)
    assert refused["error"] == "StoreLocked"


def ids_in(path: Path) -> set[str]:
    """Ids that the log of a store has."""
    database = sqlite3.connect(path / "chroma.sqlite3")
    try:
        return {id_ for (id_,) in database.execute("SELECT id FROM embeddings_queue")}
    finally:
        database.close()
