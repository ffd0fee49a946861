"""Compacting real stores: nothing that Chroma reads or rebuilds changes, however it ends."""

import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from store.commands import COMMANDS

import store
from store import cli, compaction, superseded_rows

Chroma = Callable[..., Any]
Churned = tuple[Path, dict[str, Any]]
Records = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
def churned(churned_store: Churned, tmp_path: Path) -> Churned:
    path, read = churned_store
    return Path(shutil.copytree(path, tmp_path / "store")), read


def sql(path: Path, query: str) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(path / "chroma.sqlite3")
    try:
        found = database.execute(query).fetchall()
        database.commit()
        return found
    finally:
        database.close()


def forget_indexes(path: Path) -> None:
    sql(path, "DELETE FROM max_seq_id WHERE segment_id IN (SELECT id FROM segments WHERE scope = 'VECTOR')")
    for (folder,) in sql(path, "SELECT id FROM segments WHERE scope = 'VECTOR'"):
        shutil.rmtree(path / folder, ignore_errors=True)


def folded(path: Path) -> Records:
    """Every record as the log alone gives it: vector, metadata, document."""
    names = dict(sql(path, "SELECT id, name FROM collections"))
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names.values()}
    for topic, name, operation, vector, text in sql(
        path, "SELECT topic, id, operation, vector, metadata FROM embeddings_queue ORDER BY seq_id"
    ):
        records = found[names[topic[-36:]]]
        if operation == 3:
            records.pop(name, None)
        elif (operation == 0 and name not in records) or (operation == 1 and name in records) or operation == 2:
            records[name] = {**records.get(name, {}), **json.loads(text)}
            if vector:
                records[name]["vector"] = [round(value, 5) for value in struct.unpack("<4f", vector)]
    return {
        (collection, name): {key: value for key, value in said.items() if value is not None}
        for collection, records in found.items()
        for name, said in records.items()
    }


def as_read(read: dict[str, Any]) -> Records:
    """The same of what Chroma read."""
    return {
        (collection, name): {
            **(metadata or {}),
            **({"chroma:document": document} if document is not None else {}),
            "vector": [round(value, 5) for value in vector],
        }
        for collection, rows in read.items()
        for name, vector, metadata, document in rows
    }


def test_nothing_that_can_be_read_changes(churned: Churned, chroma: Chroma) -> None:
    path, read = churned
    assert folded(path) == as_read(read)
    done = store.compact(path)
    assert done.dropped_rows == done.superseded_rows > 200
    assert done.vacuumed
    assert done.sqlite_bytes_after < done.sqlite_bytes_before
    assert done.unfinished == ()
    assert folded(path) == as_read(read)
    assert store.verify(path, store.Depth.EMBEDDINGS).findings == ()
    assert chroma("read", path) == read
    forget_indexes(path)
    assert chroma("read", path) == read, "the rebuild from the compacted log differs"


def test_the_log_proves_no_less_than_before(churned: Churned) -> None:
    path, read = churned
    before = audited(path)
    store.compact(path)
    audit = store.prepare(path, thorough=True).audit
    assert audit is not None
    assert (audit.records, audit.unproven) == (sum(map(len, read.values())), 0)
    assert audited(path).unproven <= before.unproven


def audited(path: Path) -> store.LogAudit:
    """As after something took the proof that nothing was ever purged; only upserts count then."""
    database = sqlite3.connect(path / "chroma.sqlite3")
    try:
        return store.log.audit(database, never_purged=False)
    finally:
        database.close()


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(churned: Churned) -> None:
    path, _ = churned
    before = sql(path, "SELECT * FROM embeddings_queue")
    told = store.compact(path, dry_run=True)
    assert sql(path, "SELECT * FROM embeddings_queue") == before
    done = store.compact(path)
    assert (told.superseded_rows, told.superseded_bytes) == (done.superseded_rows, done.superseded_bytes)
    assert told.seconds > 0
    assert (told.dropped_rows, told.vacuumed) == (0, False)


def test_a_second_time_finds_nothing(churned: Churned) -> None:
    path, _ = churned
    store.compact(path)
    again = store.compact(path)
    assert (again.superseded_rows, again.vacuumed) == (0, False)


def test_what_the_index_has_not_yet_applied_stays(churned: Churned) -> None:
    path, _ = churned
    pending = """SELECT q.* FROM embeddings_queue q JOIN segments s ON s.collection = substr(q.topic, -36)
        JOIN max_seq_id m ON m.segment_id = s.id WHERE s.scope = 'VECTOR' AND q.seq_id > m.seq_id"""
    before = sql(path, pending)
    assert before, "the index lags behind nothing, so this shows nothing"
    store.compact(path)
    assert sql(path, pending) == before


def test_new_numbers_never_fall_below_those_already_applied(churned: Churned, chroma: Chroma) -> None:
    """Chroma numbers rows after the highest: one below what a collection has applied would be lost."""
    path, read = churned
    store.compact(path)
    applied = """SELECT max(m.seq_id), (SELECT max(seq_id) FROM embeddings_queue WHERE topic LIKE '%' || s.collection)
        FROM max_seq_id m JOIN segments s ON s.id = m.segment_id GROUP BY s.collection"""
    assert [newest >= seq_id for seq_id, newest in sql(path, applied)] == [True, True]
    after = chroma("write", path, 2, 30, 40)
    assert after != read
    assert folded(path) == as_read(after)
    forget_indexes(path)
    assert chroma("read", path) == after


def test_stopped_between_steps_it_goes_on_later(churned: Churned, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = churned
    monkeypatch.setattr(superseded_rows, "_BATCH_CHANGES", 20)
    ticks = iter([0.0, 1.0, 2.0])
    with monkeypatch.context() as patched:
        patched.setattr(compaction.time, "monotonic", lambda: next(ticks, 100.0))
        part = store.compact(path, time_limit_s=50)
    assert 0 < part.dropped_rows < 100
    assert part.unfinished == ("not all superseded rows are dropped: the time was up",)
    assert folded(path) == as_read(read)
    whole = store.compact(path)
    assert whole.unfinished == ()
    assert folded(path) == as_read(read)


def test_shrinking_stops_when_the_time_is_up(churned: Churned, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = churned
    monkeypatch.setattr(compaction, "_STEPS_PER_LOOK", 1)
    answers = iter([False])  # to the one batch of rows
    monkeypatch.setattr(compaction, "_out_of_time", lambda _: next(answers, True))
    done = store.compact(path, time_limit_s=1000)
    assert done.unfinished == ("the file is not shrunk: the time was up",)
    assert not done.vacuumed
    assert folded(path) == as_read(read)


def test_without_room_the_file_is_not_shrunk(churned: Churned, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = churned
    monkeypatch.setattr(compaction, "_MARGIN_BYTES", 1 << 60)
    done = store.compact(path)
    assert done.dropped_rows > 0
    assert not done.vacuumed
    assert "bytes of free disk" in done.unfinished[0]


KILLED_AT_A_STATEMENT = """
import os, signal, sys, store
from store import superseded_rows
superseded_rows._BATCH_CHANGES = 25
left = int(sys.argv[2])
def tell(_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
apply = superseded_rows.SupersededRows.apply
def watched(self, batch):
    self._database.set_trace_callback(tell)
    apply(self, batch)
superseded_rows.SupersededRows.apply = watched
store.compact(sys.argv[1])
"""
KILLED_WHILE_SHRINKING = """
import os, signal, sys, store
from store import compaction
left = int(sys.argv[2])
def asked(_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return False
compaction._STEPS_PER_LOOK = 50
compaction._out_of_time = asked
store.compact(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("code", "moment"),
    [
        *((KILLED_AT_A_STATEMENT, moment) for moment in (1, 3, 40, 120, 200)),
        *((KILLED_WHILE_SHRINKING, moment) for moment in (2, 40)),
    ],
)
def test_killed_at_any_moment_the_store_is_right(churned: Churned, code: str, moment: int) -> None:
    path, read = churned
    command = [sys.executable, "-c", code, path, str(moment)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert store.prepare(path, thorough=True).changed == ()
    assert folded(path) == as_read(read)
    done = store.compact(path)
    assert done.unfinished == ()
    assert folded(path) == as_read(read)


def test_refused_with_nothing_changed(store_of_kind: Callable[[str], Path]) -> None:
    with pytest.raises(store.NotPrepared, match="adopt"):
        store.compact(store_of_kind("purged"))
    path = store_of_kind("few")
    store.prepare(path)
    sql(path, """UPDATE embeddings_queue_config SET config_json_str = '{"automatically_purge":true}'""")
    with pytest.raises(store.LogSwitchedOff):
        store.compact(path)


def test_a_running_server_is_refused(churned: Churned) -> None:
    path, _ = churned
    descriptor = os.open(path / "chroma.sqlite3", os.O_RDONLY)
    try:
        with pytest.raises(store.StoreInUse):
            store.compact(path)
    finally:
        os.close(descriptor)


def test_command_line(churned: Churned, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = churned
    assert "compact" in {command.name for command in COMMANDS}
    assert cli.main(["compact", str(path), "--dry-run"]) == 0
    assert "could be dropped" in capsys.readouterr().out
    assert cli.main(["compact", str(path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["dropped_rows"] > 200
    assert json.loads(err.splitlines()[-1])["progress"]["what"] == "shrinking the file"
    with store.ActivityLock(path, "copy"):
        assert cli.main(["compact", str(path)]) == 75
