"""An index made again from the log: the same records, no tombstones; refused where the index is the only copy."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import store
from store import cli
from tests.unit.store import damage

Churned = tuple[Path, dict[str, Any]]


@pytest.fixture
def churned(churned_store: Churned, tmp_path: Path) -> Churned:
    path, read = churned_store
    return Path(shutil.copytree(path, tmp_path / "store")), read


def plain(path: Path) -> store.CollectionView:
    return next(view for view in store.inspect(path).collections if view.name == "plain")


def test_chroma_makes_it_again_with_every_record(churned: Churned, chroma: Callable[..., dict[str, Any]]) -> None:
    path, read = churned
    before = plain(path)
    assert before.index_tombstones
    done = store.renew(path, before.id)
    assert (done.collection, done.freed_bytes > 0) == ("plain", True)
    assert not (path / before.vector_segment).exists()
    assert store.verify(path).is_sound
    assert chroma("read", path) == read


def test_killed_before_the_folder_is_removed(
    churned: Churned, chroma: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = churned

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("store.renewing.remove_index", killed)
        with pytest.raises(KeyboardInterrupt):
            store.renew(path, plain(path).id)
    store.repair(path)
    assert store.verify(path, store.Depth.EMBEDDINGS).is_sound
    assert chroma("read", path) == read


def test_an_index_that_may_be_right_stays(churned: Churned) -> None:
    path, _ = churned
    view = plain(path)
    saved = "SELECT embedding_id FROM embeddings WHERE segment_id = ? AND seq_id <= ? ORDER BY seq_id DESC LIMIT 1"
    [(id_,)] = damage.ask(path, saved, [view.metadata_segment, view.vector_seq])
    damage.flip_logged_vector(path, "plain", str(id_))
    with pytest.raises(store.IndexDisagrees, match="neither is provably right"):
        store.renew(path, view.id)
    assert plain(path).vector_seq == view.vector_seq
    assert (path / view.vector_segment).exists()


def test_what_only_the_index_holds_stays(churned: Churned, tmp_path: Path) -> None:
    path, _ = churned
    view = plain(path)
    database = sqlite3.connect(path / "chroma.sqlite3")
    database.execute("DELETE FROM embeddings_queue WHERE topic LIKE ? AND vector IS NOT NULL", (f"%{view.id}",))
    database.commit()
    database.close()
    with pytest.raises(store.LogPurged, match="plain"):
        store.renew(path, view.id)
    assert plain(path).vector_seq == view.vector_seq
    assert (path / view.vector_segment).exists()


def test_command(churned: Churned, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = churned
    assert cli.main(["renew", str(path), "--json", plain(path).id]) == 0
    assert json.loads(capsys.readouterr().out)["collection"] == "plain"
    assert cli.main(["renew", str(path), "nowhere"]) == 65
    assert "no collection" in capsys.readouterr().err
