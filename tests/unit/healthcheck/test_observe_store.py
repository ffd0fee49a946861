"""Looking at a store that Chroma has written, as a stranger who reads only."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from healthcheck.store_look import StoreLook
from healthcheck.store_watch import StoreWatch, in_words
from healthcheck.write_lock import write_lock_holder

import store
from store import StoreDamaged

pytestmark = pytest.mark.process
WRITER = """
import sys
import chromadb
client = chromadb.PersistentClient(sys.argv[1])
threshold = {"hnsw": {"sync_threshold": 20, "batch_size": 10}}
for name, dimensions, rows in (("small", 4, 15), ("large", 8, 50), ("gone", 4, 30)):
    collection = client.create_collection(name, embedding_function=None, configuration=threshold)
    for start in range(0, rows, 10):
        ids = [f"row-{row}" for row in range(start, min(rows, start + 10))]
        collection.upsert(ids=ids, embeddings=[[float(len(ids)), *([1.0] * (dimensions - 1))] for _ in ids])
client.get_collection("large").upsert(ids=["row-1"], embeddings=[[2.0] * 8])
client.delete_collection("gone")
admin = client._admin_client
admin.create_database("cortex_internal")
client.set_database("cortex_internal")
client.create_collection("canary", embedding_function=None).upsert(ids=["canary"], embeddings=[[1.0, 1.0]])
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared store: 15 records never past a save, 50 and an update, a deleted collection, the canary."""
    folder = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, "-m", "cortex_api.schema", str(folder)], check=True, timeout=60)
    store.prepare(folder)
    subprocess.run([sys.executable, "-c", WRITER, str(folder)], check=True, timeout=60)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "store"))


@pytest.fixture
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """Stands for the server, which has the database open."""
    connection = sqlite3.connect(folder / "chroma.sqlite3", isolation_level=None)
    connection.execute("SELECT count(*) FROM collections").fetchone()
    yield connection
    connection.close()


def append(database: sqlite3.Connection, name: str, rows: int) -> None:
    """Rows of the log, as Chroma writes them."""
    (collection,) = database.execute("SELECT id FROM collections WHERE name = ?", (name,)).fetchone()
    database.executemany(
        "INSERT INTO embeddings_queue (operation, topic, id, vector, encoding) VALUES (2, ?, ?, x'00', 'FLOAT32')",
        [(f"persistent://default/default/{collection}", f"new-{row}") for row in range(rows)],
    )


def save(database: sqlite3.Connection, name: str) -> None:
    """What Chroma notes when it has saved an index."""
    database.execute(
        "INSERT OR REPLACE INTO max_seq_id SELECT segments.id, (SELECT max(seq_id) FROM embeddings_queue) "
        "FROM segments JOIN collections ON collections.id = segments.collection "
        "WHERE segments.scope = 'VECTOR' AND collections.name = ?",
        (name,),
    )


def test_a_store(folder: Path, database: sqlite3.Connection) -> None:
    found = StoreLook(folder).look()
    assert (found.collections, found.vectors) == (2, 65)
    assert found.vector_bytes == 15 * 4 * 4 + 50 * 8 * 4
    # 15 and 50 and 1 upsert again and the canary; the deleted collection's rows went with it.
    assert (found.log_rows, found.superseded_rows) == (67, 1)
    assert found.lag_rows == 15
    assert found.log_kept
    assert found.orphans == 1
    assert found.orphan_bytes > 0
    assert found.wal_bytes >= 0


def test_what_is_appended_and_saved_is_counted_without_reading_the_log_again(
    folder: Path, database: sqlite3.Connection
) -> None:
    look = StoreLook(folder)
    before = look.look()
    append(database, "small", 100)
    found = look.look()
    assert (found.log_rows, found.lag_rows) == (before.log_rows + 100, 115)
    save(database, "small")
    # The other collection was saved after 40 of its 51 rows.
    assert look.look().lag_rows == 11
    append(database, "large", 7)
    assert look.look().lag_rows == 18
    expected = StoreLook(folder).look()
    assert replace(look.look(), measured_at_s=0, took_s=0) == replace(expected, measured_at_s=0, took_s=0)


def test_a_deleted_collection_takes_its_rows_and_leaves_its_folder(folder: Path, database: sqlite3.Connection) -> None:
    look = StoreLook(folder)
    look.look()
    database.execute("DELETE FROM embeddings_queue WHERE topic IN (SELECT 'persistent://default/default/' || id "
                     "FROM collections WHERE name = 'large')")  # fmt: skip
    database.execute("DELETE FROM segments WHERE collection IN (SELECT id FROM collections WHERE name = 'large')")
    database.execute("DELETE FROM collections WHERE name = 'large'")
    found = look.look()
    assert (found.collections, found.vectors, found.log_rows, found.orphans) == (1, 15, 16, 2)


def test_after_a_compaction_it_must_count_anew(folder: Path, database: sqlite3.Connection) -> None:
    look = StoreLook(folder)
    look.look()
    database.execute("DELETE FROM embeddings_queue WHERE seq_id < 10")
    assert look.look().log_rows == 67
    look.forget()
    assert look.look().log_rows == 58


def test_a_log_that_was_switched_off_is_seen(folder: Path, database: sqlite3.Connection) -> None:
    database.execute("UPDATE embeddings_queue_config SET config_json_str = ?", (json.dumps({"_type": "x"}),))
    assert not StoreLook(folder).look().log_kept


def test_looking_changes_nothing_and_needs_no_lock(folder: Path, database: sqlite3.Connection) -> None:
    look = StoreLook(folder)
    database.execute("BEGIN EXCLUSIVE")
    append(database, "small", 5)
    files = sorted(path.name for path in folder.rglob("*"))
    assert look.look().log_rows == 67
    database.execute("ROLLBACK")
    assert sorted(path.name for path in folder.rglob("*")) == files


def test_what_to_load_after_a_start(folder: Path, database: sqlite3.Connection) -> None:
    found = {each.dimensions: each for each in StoreLook(folder).indexes()}
    assert sorted(found) == [4, 8]
    assert (found[8].tenant, found[8].database, len(found[8].collection)) == ("default_tenant", "default_database", 36)


def test_a_look_is_broken_off_and_none_begins_until_it_may(folder: Path, database: sqlite3.Connection) -> None:
    look = StoreLook(folder)
    assert look.let_go()
    with pytest.raises(sqlite3.OperationalError, match="does not run"):
        look.look()
    look.take_up()
    assert look.look().log_rows == 67


def test_a_long_look_is_interrupted(folder: Path, database: sqlite3.Connection) -> None:
    look = StoreLook(folder)
    begun, errors = threading.Event(), []

    def endless() -> None:
        try:
            with look._opened() as connection:
                begun.set()
                connection.execute(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
                ).fetchone()
        except sqlite3.Error as error:
            errors.append(str(error))

    thread = threading.Thread(target=endless, daemon=True)
    thread.start()
    assert begun.wait(5)
    assert look.let_go(limit_s=5)
    thread.join(5)
    assert errors == ["interrupted"]


def test_who_holds_the_write_lock(folder: Path, database: sqlite3.Connection) -> None:
    path = folder / "chroma.sqlite3"
    assert write_lock_holder(path) is None
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); "
         "d.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert write_lock_holder(path) == holder.pid
    finally:
        holder.communicate()
    assert write_lock_holder(path) is None
    assert write_lock_holder(folder / "nothing") is None


def until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline_s, f"{what}: not within 5 s"
        time.sleep(0.005)


def test_the_thread_looks_when_it_is_time_and_keeps_what_it_saw(folder: Path, database: sqlite3.Connection) -> None:
    watch = StoreWatch(folder, 60)
    watch.mind(0.0, None, blocked=False)
    assert watch.seen.view is None
    watch.mind(1.0, 7, blocked=False)
    until(lambda: watch.seen.view is not None, "the first look")
    first = watch.seen
    assert first.bytes is not None
    assert first.bytes > 100_000
    watch.mind(2.0, 7, blocked=False)
    assert watch.seen is first
    (folder / "chroma.sqlite3").rename(folder / "elsewhere")
    watch.mind(3.0, 8, blocked=False)
    until(lambda: watch.seen.problem != "", "the failed look")
    assert "unable to open" in watch.seen.problem
    assert watch.seen.view == first.view
    assert watch.let_go(5)
    watch.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "/secret/place"), "No such file or directory"),
        (TimeoutError("the walk through /secret took too long"), "it took too long"),
        (StoreDamaged("/secret/chroma.sqlite3 is empty"), "StoreDamaged"),
        (sqlite3.OperationalError("disk I/O error"), "disk I/O error"),
    ],
)
def test_errors_tell_no_paths(error: Exception, words: str) -> None:
    assert in_words(error) == words
