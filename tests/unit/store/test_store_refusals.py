"""What prepare refuses, each with its own error, leaving every file as it was."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from store.preparation import MARK

import store
from store import cli

Kind = Callable[[str], Path]


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def sql(path: Path, *statements: str) -> None:
    database = sqlite3.connect(path / "chroma.sqlite3")
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def cut(path: Path, size: int) -> None:
    os.truncate(path / "chroma.sqlite3", size)


def vacuum(path: Path) -> None:
    command = Path(sys.executable).with_name("chroma")
    subprocess.run([command, "vacuum", "--path", path, "--force"], check=True, capture_output=True, timeout=60)


def another_database(path: Path) -> None:
    (path / "chroma.sqlite3").unlink()
    sql(path, "CREATE TABLE things (id INTEGER)")


CASES: list[tuple[str, Callable[[Path], object], type[store.StoreError], str]] = [
    ("fresh", lambda path: cut(path, 0), store.StoreDamaged, "is empty"),
    ("fresh", lambda path: cut(path, 10), store.StoreDamaged, "within its header"),
    ("fresh", lambda path: cut(path, 50), store.StoreDamaged, "within its header"),
    ("few", lambda path: cut(path, 100_000), store.StoreDamaged, "100000 bytes where its header says"),
    ("fresh", lambda path: (path / "chroma.sqlite3").write_bytes(b"no" * 4096), store.NotAStore, "not an SQLite"),
    ("fresh", lambda path: (path / "chroma.sqlite3").unlink(), store.StoreMissing, "holds no chroma.sqlite3"),
    ("fresh", another_database, store.NotAStore, "no table `migrations`"),
    ("fresh", lambda path: sql(path, "DELETE FROM migrations WHERE dir = 'metadb' AND version = 6"),
     store.UnknownSchema, "an older Chroma .* metadb 6"),
    ("fresh", lambda path: sql(path, "INSERT INTO migrations VALUES ('sysdb', 11, 'f', 'SELECT 1', 'h')"),
     store.UnknownSchema, "a newer Chroma .* sysdb 11"),
    ("fresh", lambda path: sql(path, "UPDATE migrations SET sql = 'SELECT 1' WHERE dir = 'sysdb' AND version = 1"),
     store.UnknownSchema, "sysdb 1 of this store are not those"),
    ("fresh", lambda path: sql(path, "DROP TABLE embeddings_queue"),
     store.UnknownSchema, "lacks the tables embeddings_queue"),
    ("fresh", lambda path: sql(path, "UPDATE embeddings_queue_config SET config_json_str = 'x'"),
     store.StoreDamaged, "not a JSON object: 'x'"),
    ("purged", lambda _: None, store.LogPurged, "of 100 records have none there"),
    ("readded", lambda _: None, store.LogPurged, "10 of 10 records"),
    ("few", lambda path: sql(path, "DELETE FROM embeddings_queue WHERE seq_id = 4"),
     store.LogPurged, "1 of 10 records"),
    ("few", lambda path: sql(path, "UPDATE embeddings_queue SET vector = NULL WHERE seq_id = 4"),
     store.LogPurged, "1 of 10 records"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spoil", "error", "words"), CASES)
def test_refused_with_nothing_changed(
    store_of_kind: Kind, kind: str, spoil: Callable[[Path], object], error: type[store.StoreError], words: str
) -> None:
    path = store_of_kind(kind)
    spoil(path)
    before = contents(path)
    with pytest.raises(error, match=words) as caught:
        store.prepare(path)
    assert type(caught.value) is error
    assert contents(path) == before


@pytest.mark.parametrize(("name", "error"), [("nowhere", store.StoreMissing), ("file", store.NotAStore)])
def test_the_path_must_be_a_directory(tmp_path: Path, name: str, error: type[store.StoreError]) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(error):
        store.prepare(tmp_path / name)


def test_a_log_switched_off_later_is_noticed(store_of_kind: Kind) -> None:
    path = store_of_kind("few")
    store.prepare(path)
    sql(path, """UPDATE embeddings_queue_config SET config_json_str = '{"automatically_purge":true}'""")
    before = contents(path)
    with pytest.raises(store.LogSwitchedOff, match="All 10 records are still in the log"):
        store.prepare(path)
    assert contents(path) == before
    done = store.prepare(path, switch_on_again=True)
    assert done.changed == ("the log is kept (automatically_purge: false)",)
    assert store.prepare(path).changed == ()


def test_chroma_vacuum_on_a_prepared_store_is_noticed(store_of_kind: Kind) -> None:
    path = store_of_kind("killed")
    vacuum(path)
    with pytest.raises(store.LogPurged, match="chroma vacuum"):
        store.prepare(path, switch_on_again=True)
    sql(path, """UPDATE embeddings_queue_config SET config_json_str = '{"automatically_purge":false}'""")
    with pytest.raises(store.LogPurged, match="chroma vacuum"):
        store.prepare(path)


def test_after_a_vacuum_a_repeated_add_proves_nothing(store_of_kind: Kind) -> None:
    path = store_of_kind("readded")
    sql(
        path,
        f"PRAGMA application_id = {MARK}",
        "INSERT INTO maintenance_log (timestamp, operation) VALUES ('2026-01-01 00:00:00', 'vacuum')",
        """UPDATE embeddings_queue_config SET config_json_str = '{"automatically_purge":false}'""",
    )
    with pytest.raises(store.LogPurged, match="10 of 10 records"):
        store.prepare(path)


def test_a_purge_that_was_switched_off_too_late_is_noticed(store_of_kind: Kind) -> None:
    path = store_of_kind("purged")
    sql(path, """UPDATE embeddings_queue_config SET config_json_str = '{"automatically_purge":false}'""")
    with pytest.raises(store.LogPurged):
        store.prepare(path)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM embeddings_queue WHERE id = 'row-7'", "UPDATE embeddings_queue SET vector = NULL WHERE id = 'row-7'"],
)
def test_a_vector_taken_from_a_prepared_log_is_found_on_request(store_of_kind: Kind, statement: str) -> None:
    path = store_of_kind("killed")
    sql(path, statement)
    store.prepare(path)
    with pytest.raises(store.LogPurged, match="1 of 199 records"):
        store.prepare(path, thorough=True)


def test_a_locked_database_is_in_use(store_of_kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store_of_kind("fresh")
    monkeypatch.setattr("store.preparation.check_unused", lambda _: None)
    monkeypatch.setattr("store.database.BUSY_TIMEOUT_S", 0.01)
    database = sqlite3.connect(path / "chroma.sqlite3", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(store.StoreInUse, match="locked by another process"):
            store.prepare(path)
    finally:
        database.close()


def test_the_store_of_another_user_is_refused(store_of_kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store_of_kind("few")
    uid = os.getuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(store.WrongOwner, match=rf"chown -R {uid} "):
        store.prepare(path)


def test_a_file_system_group_that_may_write_is_enough(store_of_kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store_of_kind("few")
    for file in (path, *path.rglob("*")):
        file.chmod(file.stat().st_mode | 0o020)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    store.prepare(path)


def outcome_as_ordinary_user(path: Path) -> str:
    """Name of the error that prepare raises for a user whom file modes bind; root is not, so it becomes another."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setresgid(10001, 10001, 10001)
                os.setresuid(10001, 10001, 10001)
            store.prepare(path)
            result = "prepared"
        except BaseException as error:
            result = type(error).__name__
        os.write(writer, result.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        result = answer.read()
    os.waitpid(child, 0)
    return result


@pytest.mark.parametrize("what", ["", "chroma.sqlite3", "index"])
def test_what_cannot_be_written_is_refused(store_of_kind: Kind, what: str) -> None:
    path = store_of_kind("purged" if what == "index" else "few")
    if os.getuid() == 0:
        for file in (path, *path.rglob("*")):
            os.chown(file, 10001, 10001)
    if what == "index":
        target = next(file for file in path.rglob("*") if file.name == "header.bin")
    else:
        target = path / what
        assert outcome_as_ordinary_user(path) == "prepared"
    target.chmod(0o555 if target.is_dir() else 0o444)
    before = contents(path)
    assert outcome_as_ordinary_user(path) == "StoreReadOnly"
    assert contents(path) == before


def test_command_line_prepares_and_says_so(store_of_kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    path = store_of_kind("few")
    assert cli.main(["prepare", str(path)]) == 0
    assert "prepared (10 records, 10 log rows)" in capsys.readouterr().out
    assert cli.main(["prepare", str(path), "--json"]) == 0
    assert '"changed": []' in capsys.readouterr().out


def test_command_line_codes(store_of_kind: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["prepare", str(store_of_kind("purged"))]) == 65
    assert capsys.readouterr().err.startswith("error: the log of")
    path = store_of_kind("fresh")
    with store.WriterLock(path):
        assert cli.main(["prepare", str(path), "--json"]) == 75
    assert '"error": "StoreLocked"' in capsys.readouterr().err
    assert cli.main(["prepare", str(tmp_path)]) == 65
    assert not list(tmp_path.iterdir()), "the lock's file was made in a directory that is no store"
