"""Adopting stores as Chroma makes them: nothing lost, everything in the log afterwards, or refused unchanged."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import store
from store import adoption, cli, index_vectors

Chroma = Callable[..., Any]
Kind = Callable[[str], Path]

OTHER_TENANT = """
import os, sys, chromadb
path = sys.argv[1]
admin = chromadb.AdminClient(chromadb.Settings(is_persistent=True, persist_directory=path))
admin.create_tenant("guests")
admin.create_database("visits", "guests")
client = chromadb.PersistentClient(path, tenant="guests", database="visits")
collection = client.create_collection(
    "plain", embedding_function=None, configuration={"hnsw": {"sync_threshold": 10, "batch_size": 5}}
)
for row in range(45):
    collection.add(ids=[f"guest-{row}"], embeddings=[[float(row), 0.5]], metadatas=[{"row": row}])
os._exit(0)
"""

READ_GUESTS = """
import json, os, sys, chromadb
client = chromadb.PersistentClient(sys.argv[1], tenant="guests", database="visits")
got = client.get_collection("plain").get(include=["embeddings", "metadatas"])
rows = zip(got["ids"], got["embeddings"], got["metadatas"])
print(json.dumps({name: [float(embedding[0]), said["row"]] for name, embedding, said in rows}))
"""


@pytest.fixture(scope="session")
def made_stock(tmp_path_factory: pytest.TempPathFactory, made_stores: Path) -> tuple[Path, dict[str, Any]]:
    """As Chroma makes it, its log purged; two tenants, two spaces; and what Chroma reads from it."""
    path = tmp_path_factory.mktemp("stock") / "store"
    here = Path(__file__).parent
    command = [sys.executable, here / "chroma_rows.py", "write", path, "4", "120", "20"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)
    subprocess.run([sys.executable, "-c", OTHER_TENANT, path], check=True, capture_output=True, timeout=120)
    return path, json.loads(done.stdout)


@pytest.fixture
def stock(made_stock: tuple[Path, dict[str, Any]], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    return Path(shutil.copytree(made_stock[0], tmp_path / "store")), made_stock[1]


def sql(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(path / "chroma.sqlite3")
    try:
        found = database.execute(query, values).fetchall()
        database.commit()
        return found
    finally:
        database.close()


def forget_indexes(path: Path) -> None:
    sql(path, "DELETE FROM max_seq_id WHERE segment_id IN (SELECT id FROM segments WHERE scope = 'VECTOR')")
    for (folder,) in sql(path, "SELECT id FROM segments WHERE scope = 'VECTOR'"):
        shutil.rmtree(path / folder, ignore_errors=True)


def rounded(read: dict[str, Any]) -> dict[str, Any]:
    """In space cosine, Chroma hands out a vector times its length: the last places vary."""
    return {
        name: [[row[0], [round(value, 5) for value in row[1]], *row[2:]] for row in rows] for name, rows in read.items()
    }


def folder_of(path: Path, name: str, tenant: str = "default_tenant") -> Path:
    views = store.inspect(path).collections
    return path / next(view.vector_segment for view in views if (view.name, view.tenant) == (name, tenant))


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_everything_is_in_the_log_afterwards(stock: tuple[Path, dict[str, Any]], chroma: Chroma) -> None:
    path, read = stock
    purged = sum(each.count for each in store.verify(path, store.Depth.EMBEDDINGS).findings)
    assert purged > 50, "nothing was purged, so this shows nothing"
    done = store.adopt(path)
    assert done.records == sum(map(len, read.values())) + 45
    assert purged - 10 <= done.written < done.records
    assert "the log is kept (automatically_purge: false)" in done.changed
    assert store.verify(path, store.Depth.EMBEDDINGS).findings == ()
    assert store.prepare(path, thorough=True).changed == ()
    assert chroma("read", path) == read
    forget_indexes(path)
    assert rounded(chroma("read", path)) == rounded(read)
    assert store.compact(path, dry_run=True).superseded_rows < 60


def test_other_tenants_are_adopted_too(stock: tuple[Path, dict[str, Any]]) -> None:
    path, _ = stock
    store.adopt(path)
    forget_indexes(path)
    done = subprocess.run([sys.executable, "-c", READ_GUESTS, path], check=True, capture_output=True, timeout=120)
    assert json.loads(done.stdout) == {f"guest-{row}": [float(row), row] for row in range(45)}


def test_stores_of_every_kind(store_of_kind: Kind, chroma: Chroma) -> None:
    paths = [store_of_kind(kind) for kind in ("fresh", "few", "emptied", "purged", "readded", "killed-unprepared")]
    read = chroma("read", *paths)
    for path, each in zip(paths, read, strict=True):
        assert store.adopt(path).records == sum(map(len, each.values()))
        assert store.verify(path, store.Depth.EMBEDDINGS).findings == ()
        forget_indexes(path)
    assert chroma("read", *paths) == read


def test_a_second_time_there_is_nothing_to_do(stock: tuple[Path, dict[str, Any]]) -> None:
    path, _ = stock
    store.adopt(path)
    before = contents(path)
    assert store.adopt(path).was_adopted
    assert contents(path) == before


def test_what_was_written_since_is_kept(stock: tuple[Path, dict[str, Any]], chroma: Chroma) -> None:
    path, _ = stock
    store.adopt(path)
    read = chroma("write", path, 8, 60, 20)
    assert store.verify(path, store.Depth.EMBEDDINGS).findings == ()
    forget_indexes(path)
    assert rounded(chroma("read", path)) == rounded(read)


def test_a_vacuum_of_a_prepared_store_is_made_good(store_of_kind: Kind, chroma: Chroma) -> None:
    path = store_of_kind("killed")
    read = chroma("read", path)
    command = Path(sys.executable).with_name("chroma")
    subprocess.run([command, "vacuum", "--path", path, "--force"], check=True, capture_output=True, timeout=60)
    with pytest.raises(store.LogPurged, match="adopt"):
        store.prepare(path)
    store.adopt(path)
    assert store.prepare(path).changed == ()
    forget_indexes(path)
    assert chroma("read", path) == read


def cut_ids(path: Path) -> None:
    ids = folder_of(path, "plain") / "index_metadata.pickle"
    ids.write_bytes(ids.read_bytes()[:-3])


def lose_folder(path: Path) -> None:
    shutil.rmtree(folder_of(path, "plain", "guests"))


def cut_elements(path: Path) -> None:
    elements = folder_of(path, "angles") / "data_level0.bin"
    os.truncate(elements, 500)  # of 2,340 in use


def damage_sqlite(path: Path) -> None:
    others = "SELECT max(seq_id) FROM embeddings_queue WHERE id NOT LIKE 'guest-%'"
    sql(path, f"UPDATE embeddings SET seq_id = ({others}) WHERE embedding_id = 'guest-7'")  # noqa: S608


@pytest.mark.parametrize("damage", [cut_ids, lose_folder, cut_elements, damage_sqlite])
def test_a_damaged_store_is_refused_unchanged(
    stock: tuple[Path, dict[str, Any]], damage: Callable[[Path], None]
) -> None:
    path, _ = stock
    damage(path)
    before = contents(path)
    with pytest.raises(store.StoreDamaged):
        store.adopt(path)
    assert contents(path) == before


def test_a_vector_that_is_nowhere_is_refused(
    stock: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = stock
    monkeypatch.setattr(adoption, "_refuse_damaged", lambda *_: None)
    monkeypatch.setattr(index_vectors.IndexVectors, "get", lambda *_: None)
    before = contents(path)
    with pytest.raises(store.StoreDamaged, match="is neither in its index nor in its log"):
        store.adopt(path)
    assert contents(path) == before


KILLED = """
import os, signal, sys, store
from store import adoption
left = int(sys.argv[2])
write = adoption._Taken._write
def watched(self, *arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, *arguments)
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
adoption._Taken._write = watched
if left == 0:
    adoption.prepare = die
else:
    opened = adoption.opened
    import contextlib
    @contextlib.contextmanager
    def small_cache(path):
        with opened(path) as database:
            database.execute("PRAGMA cache_size = 2")  # so that the killed transaction is in the file already
            yield database
    adoption.opened = small_cache
store.adopt(sys.argv[1])
"""


@pytest.mark.parametrize("moment", [1, 30, 60, 0])
def test_killed_in_the_middle_it_can_be_done_again(
    stock: tuple[Path, dict[str, Any]], chroma: Chroma, moment: int
) -> None:
    path, read = stock
    command = [sys.executable, "-c", KILLED, path, str(moment)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    if moment == 60:
        assert (path / "chroma.sqlite3-journal").stat().st_size > 0, "nothing was in the file yet"
    done = store.adopt(path)
    assert store.verify(path, store.Depth.EMBEDDINGS).findings == ()
    assert store.prepare(path, thorough=True).changed == ()
    assert bool(done.written) == bool(moment)
    if moment == 60:
        assert chroma("read", path) == read


def test_without_room_it_does_not_begin(stock: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "_MARGIN_BYTES", 1 << 60)
    with pytest.raises(store.StoreError, match="make room"):
        store.adopt(stock[0])


def test_command_line(stock: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    path = str(stock[0])
    with store.WriterLock(stock[0]):
        assert cli.main(["adopt", path]) == 75
    capsys.readouterr()
    assert cli.main(["adopt", path, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["written"] > 50
    assert '"what": "writing records into the log"' in err
    assert cli.main(["adopt", path]) == 0
    assert "nothing to adopt" in capsys.readouterr().out
