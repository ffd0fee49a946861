"""A newer log with an older copy's indexes: equal to the source, or the index is not taken."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import store
from store import cli

Chroma = Callable[..., Any]
Churned = tuple[Path, dict[str, Any]]


@pytest.fixture
def source(churned_store: Churned, tmp_path: Path) -> Path:
    return Path(shutil.copytree(churned_store[0], tmp_path / "source"))


def assembled(log: Path, older: Path, target: Path) -> store.Assembly:
    before = {file: file.read_bytes() for file in older.rglob("*") if file.is_file() and "-shm" not in file.name}
    done = store.assemble(log / "chroma.sqlite3", older, target)
    assert {file: file.read_bytes() for file in before} == before
    return done


def test_an_older_index_is_brought_up_to_date_by_the_log(source: Path, tmp_path: Path, chroma: Chroma) -> None:
    older = store.copy(source, tmp_path / "older").target
    wanted = chroma("write", source, 2, 100, 40)
    done = assembled(source, older, tmp_path / "target")
    assert (done.indexes, done.left_out) == (2, ())
    assert 200 <= done.rows_to_apply < 300
    assert not list(done.target.glob("chroma.sqlite3-*"))
    assert chroma("read", done.target) == wanted


def test_the_log_may_have_any_name(source: Path, tmp_path: Path, churned_store: Churned, chroma: Chroma) -> None:
    older = store.copy(source, tmp_path / "older").target
    log = shutil.copy(older / "chroma.sqlite3", tmp_path / "restored.db")
    done = store.assemble(Path(log), older, tmp_path / "target")
    assert done.indexes == 2
    assert chroma("read", done.target) == churned_store[1]


def test_an_index_whose_deletes_were_compacted_away_is_not_taken(source: Path, tmp_path: Path, chroma: Chroma) -> None:
    older = store.copy(source, tmp_path / "older")
    wanted = chroma("write", source, 2, 100, 40)
    database = sqlite3.connect(source / "chroma.sqlite3")
    database.execute(
        """DELETE FROM embeddings_queue AS q WHERE EXISTS (SELECT 1 FROM embeddings_queue AS later
        WHERE later.topic = q.topic AND later.id = q.id AND later.operation = 3
        AND later.seq_id >= q.seq_id AND later.seq_id > ?)""",
        (older.newest_row,),
    )
    database.commit()
    database.close()
    done = assembled(source, older.target, tmp_path / "target")
    reasons = {each.collection_name: each.why for each in done.left_out}
    assert any("a compaction since has dropped the deletes" in why for why in reasons.values()), reasons
    assert chroma("read", done.target) == wanted


def test_after_a_compaction_what_is_assembled_is_right(source: Path, tmp_path: Path, chroma: Chroma) -> None:
    older = store.copy(source, tmp_path / "older").target
    wanted = chroma("write", source, 2, 60, 40)
    store.compact(source)
    assert chroma("read", assembled(source, older, tmp_path / "target").target) == wanted


def test_an_index_newer_than_the_log_is_not_taken(source: Path, tmp_path: Path, chroma: Chroma) -> None:
    wanted = chroma("read", source)
    log = store.copy(source, tmp_path / "log").target
    chroma("write", source, 2, 100, 40)
    older = store.copy(source, tmp_path / "older").target
    done = assembled(log, older, tmp_path / "target")
    assert done.indexes == 0
    assert {each.why.split(":")[0] for each in done.left_out} == {"it is newer than the log"}
    assert chroma("read", done.target) == wanted


def test_an_index_of_another_history_is_not_taken(source: Path, tmp_path: Path, chroma: Chroma) -> None:
    fork = store.copy(source, tmp_path / "fork").target
    chroma("write", source, 2, 100, 40)
    wanted = chroma("write", fork, 3, 110, 40)
    older = store.copy(source, tmp_path / "older").target
    done = assembled(fork, older, tmp_path / "target")
    assert {each.why.split(":")[0] for each in done.left_out} == {"it comes from another history"}
    assert chroma("read", done.target) == wanted


def test_a_store_without_shared_rows_proves_nothing(source: Path, tmp_path: Path) -> None:
    older = store.copy(source, tmp_path / "older").target
    database = sqlite3.connect(older / "chroma.sqlite3")
    database.execute("UPDATE embeddings_queue SET seq_id = -seq_id")
    database.commit()
    database.close()
    done = assembled(source, older, tmp_path / "target")
    assert {each.why.split(":")[0] for each in done.left_out} == {"nothing shows that it comes from the same history"}


def test_refused(source: Path, tmp_path: Path, store_of_kind: Callable[[str], Path]) -> None:
    with pytest.raises(store.StoreMissing):
        store.assemble(tmp_path / "nowhere", source, tmp_path / "target")
    with pytest.raises(store.TargetNotEmpty):
        store.assemble(source / "chroma.sqlite3", source, source)
    with pytest.raises(store.NotPrepared):
        store.assemble(source / "chroma.sqlite3", store_of_kind("purged"), tmp_path / "target")
    text = tmp_path / "text"
    text.write_text("no database" * 100)
    with pytest.raises(store.NotAStore):
        store.assemble(text, source, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_command_line(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = str(store.copy(source, tmp_path / "older").target)
    log = str(source / "chroma.sqlite3")
    assert cli.main(["assemble", log, older, str(tmp_path / "one")]) == 0
    assert "2 collections, 300 log rows, 2 indexes" in capsys.readouterr().out
    assert cli.main(["assemble", log, older, str(tmp_path / "two"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["indexes"] == 2
    assert cli.main(["assemble", log, older, str(tmp_path / "two")]) == 65
