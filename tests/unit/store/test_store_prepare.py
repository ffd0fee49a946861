"""Preparing real stores: what is set, that it lasts, and that Chroma then keeps every vector."""

import os
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import store
from store import schema

Kind = Callable[[str], Path]


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(path / "chroma.sqlite3")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def test_a_new_store_has_the_schema_that_is_known(made_stores: Path) -> None:
    found = rows(made_stores / "fresh", "SELECT dir, version, hash FROM migrations")
    assert set(found) == schema.MIGRATIONS


def test_what_is_found_and_changed_is_told(store_of_kind: Kind) -> None:
    path = store_of_kind("fresh")
    done = store.prepare(path)
    assert done.found == store.Condition(log_kept=False, journal_mode="delete", marked=False)
    assert done.changed == (
        "the log is kept (automatically_purge: false)",
        "the store is marked as prepared",
        "the journal mode is wal (was delete)",
    )
    assert rows(path, "SELECT config_json_str FROM embeddings_queue_config") == [
        ('{"automatically_purge":false,"_type":"EmbeddingsQueueConfigurationInternal"}',)
    ]
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]


def test_a_second_time_changes_nothing(store_of_kind: Kind) -> None:
    path = store_of_kind("fresh")
    store.prepare(path)
    before = (path / "chroma.sqlite3").read_bytes()
    again = store.prepare(path)
    assert again.changed == ()
    assert again.audit is None
    assert again.found.is_prepared
    assert (path / "chroma.sqlite3").read_bytes() == before


def test_other_settings_of_the_log_are_kept(store_of_kind: Kind) -> None:
    path = store_of_kind("fresh")
    database = sqlite3.connect(path / "chroma.sqlite3")
    database.execute("""UPDATE embeddings_queue_config SET config_json_str = '{"a":1,"_type":"Mine"}'""")
    database.commit()
    database.close()
    store.prepare(path)
    assert rows(path, "SELECT config_json_str FROM embeddings_queue_config") == [
        ('{"a":1,"_type":"Mine","automatically_purge":false}',)
    ]


def test_settings_that_chroma_has_not_written_yet_are_made(store_of_kind: Kind) -> None:
    path = store_of_kind("fresh")
    database = sqlite3.connect(path / "chroma.sqlite3")
    database.execute("DELETE FROM embeddings_queue_config")
    database.commit()
    database.close()
    store.prepare(path)
    assert rows(path, "SELECT id, config_json_str FROM embeddings_queue_config") == [
        (1, '{"_type":"EmbeddingsQueueConfigurationInternal","automatically_purge":false}')
    ]


def test_a_crash_between_the_two_changes_is_made_good(store_of_kind: Kind) -> None:
    path = store_of_kind("fresh")
    store.prepare(path)
    database = sqlite3.connect(path / "chroma.sqlite3")
    database.execute("PRAGMA journal_mode = DELETE")
    database.close()
    assert store.prepare(path).changed == ("the journal mode is wal (was delete)",)


def test_after_a_kill_past_the_threshold_the_log_holds_every_vector(store_of_kind: Kind) -> None:
    path = store_of_kind("killed")
    saved = rows(path, "SELECT max_seq_id.seq_id FROM max_seq_id JOIN segments ON id = segment_id AND scope = 'VECTOR'")
    assert saved[0][0] >= 100, "the index was never saved, so this shows nothing"  # type: ignore[operator]
    logged = rows(path, "SELECT id, vector FROM embeddings_queue WHERE operation = 2")
    assert {str(name): struct.unpack("<4f", vector) for name, vector in logged} == {  # type: ignore[arg-type]
        f"row-{row}": (float(row), row / 2, 1.0, -float(row)) for row in range(200)
    }


def test_chroma_leaves_a_prepared_store_prepared(store_of_kind: Kind) -> None:
    path = store_of_kind("killed")
    assert (path / "chroma.sqlite3-wal").stat().st_size > 0, "no write-ahead log was left by the kill"
    done = store.prepare(path, thorough=True)
    assert done.changed == ()
    assert done.audit == store.LogAudit(records=199, unproven=0, rows=202)


def test_without_preparing_the_same_writes_lose_vectors(store_of_kind: Kind) -> None:
    path = store_of_kind("killed-unprepared")
    (kept,) = rows(path, "SELECT count(*) FROM embeddings_queue")[0]
    assert kept < 100  # type: ignore[operator]
    with pytest.raises(store.LogPurged):
        store.prepare(path)


def test_rows_from_before_are_fine_while_nothing_was_purged(store_of_kind: Kind) -> None:
    done = store.prepare(store_of_kind("few"))
    assert done.audit == store.LogAudit(records=10, unproven=0, rows=10)


def test_a_store_whose_rows_are_all_deleted_can_be_prepared(store_of_kind: Kind) -> None:
    done = store.prepare(store_of_kind("emptied"))
    assert done.audit is not None
    assert done.audit.records == 0


def test_what_a_killed_transaction_left_is_rolled_back(store_of_kind: Kind) -> None:
    path = store_of_kind("fresh")
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN');"
        "c.execute('UPDATE embeddings_queue_config SET config_json_str = 1');"
        "[c.execute('INSERT INTO tenants VALUES (?)', (str(i) * 200,)) for i in range(2000)];"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, path / "chroma.sqlite3"], check=False, timeout=60)
    journal = path / "chroma.sqlite3-journal"
    assert journal.stat().st_size > 0, "no hot journal was left"
    done = store.prepare(path)
    assert done.changed
    assert not journal.exists()
    assert rows(path, "SELECT count(*) FROM tenants") == [(1,)]


def test_a_running_server_is_refused(store_of_kind: Kind) -> None:
    path = store_of_kind("fresh")
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM tenants');"
        "print('open', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, path / "chroma.sqlite3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(store.StoreInUse, match=f"process {child.pid}"):
            store.prepare(path)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    store.prepare(path)


def test_a_server_that_cannot_be_seen_is_refused_by_its_lock(
    store_of_kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store_of_kind("fresh")
    store.prepare(path)
    monkeypatch.setattr("store.openers.processes_with_open", lambda _: [])
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM tenants').fetchall();"
        "print('open', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, path / "chroma.sqlite3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(store.StoreInUse, match=f"process {child.pid}"):
            store.prepare(path)
    finally:
        child.kill()
        child.communicate()


def test_a_store_open_in_this_process_is_refused(store_of_kind: Kind) -> None:
    path = store_of_kind("fresh")
    descriptor = os.open(path / "chroma.sqlite3", os.O_RDONLY)
    try:
        with pytest.raises(store.StoreInUse, match="this very process"):
            store.prepare(path)
    finally:
        os.close(descriptor)


def test_chroma_is_never_imported() -> None:
    code = "import sys, store, store.cli; print([name for name in sys.modules if 'chroma' in name])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
