"""What uploads leave that are killed at a target which names a file before it is whole."""

from __future__ import annotations

import secrets
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from backup.config import load
from backup.gateway import LOG
from backup.target import SEALED, opened

from backup import ltx
from tests.backup.far import Directory
from tests.backup.scene import Daemon, Scene, log_of
from tests.recovery.servers import Stock

pytestmark = pytest.mark.process


def half_of(file: Path, folder: Path) -> Path:
    """The beginning of a file, under the name that another would have."""
    name = secrets.token_hex(32)
    made = folder / (folder.name + name[2:] if len(folder.name) == 2 else name)
    content = file.read_bytes()
    made.write_bytes(content[: len(content) // 2])
    return made


def test_half_files_of_the_repository_stop_nothing_and_are_removed(
    still: Scene, far: Directory, tmp_path: Path
) -> None:
    first = still.run("now")
    place = far.folder / "bases"
    (whole,) = (place / "snapshots").iterdir()
    pack = next(file for file in (place / "data").rglob("*") if file.is_file())
    unlisted = half_of(pack, pack.parent)
    halves = [half_of(whole, place / name) for name in ("snapshots", "locks")]
    halves += [half_of(next((place / "index").iterdir()), place / "index"), unlisted]
    (place / "locks" / secrets.token_hex(32)).touch()

    second = still.run("now")
    assert still.run("check", "--read-all")["problems"] == []
    assert [file for file in halves if file.exists()] == []
    assert list((place / "locks").iterdir()) == []
    assert [base["id"] for base in still.run("list")["bases"]] == [first["id"], second["id"]]


@pytest.mark.full
def test_a_repository_whose_making_was_killed_is_made_anew_but_never_one_with_data(
    still: Scene, far: Directory
) -> None:
    still.run("now")
    place = far.folder / "bases"
    shutil.copytree(place, far.folder / "whole")
    (place / "config").unlink()
    assert "already contains keys" in still.run("now", code=65)["message"]
    assert any(file.is_file() for file in (place / "data").rglob("*")), "its key may be all that reads the data"
    for content in (None, b"", b"half"):
        shutil.rmtree(place)
        shutil.copytree(far.folder / "whole", place)
        for name in ("data", "index", "snapshots"):
            shutil.rmtree(place / name)
            (place / name).mkdir()
        (place / "config").unlink()
        if content is not None:
            (place / "config").write_bytes(content)
        made = still.run("now")
        assert [base["id"] for base in still.run("list")["bases"]] == [made["id"]]


def test_bases_that_are_all_gone_are_missed_and_what_is_known_of_them_stays(still: Scene, far: Directory) -> None:
    still.run("now")
    shutil.rmtree(far.folder / "bases")
    assert still.run("retain")["bases"] == []
    (problem,) = still.run("check", code=1)["problems"]
    assert problem.startswith("1 bases were made, and none is there any more")


def test_half_a_piece_of_the_archive_costs_no_more_than_itself(
    scene: Scene, server: Stock, daemon: Daemon, far: Directory, tmp_path: Path
) -> None:
    client = server.connect()
    client.create("steps", "l2", 4)
    base = scene.run("now")
    daemon.start()
    scene.wait_archive(running=True, why="")
    for number in range(2):
        vectors = np.full((20, 4), number + 0.5, dtype=np.float32)
        client.write("steps", [f"{number}-{row}" for row in range(20)], vectors, None)
        scene.wait_shipped(time.time())
    client.close()
    server.kill()
    daemon.kill()
    halve_newest_piece(scene, far.folder / SEALED)
    done = scene.run("restore", "--into", str(tmp_path / "back"))
    assert done["source"].startswith("archive"), done["notes"]
    assert "cannot be used" in done["notes"][0]
    rows, _ = log_of(tmp_path / "back/chroma.sqlite3")
    assert 20 <= rows < 40
    assert base["newest_row"] == 0


def halve_newest_piece(scene: Scene, sealed: Path) -> None:
    """As it lies there: encrypted."""
    with opened(load(scene.config_file)) as target:
        (lineage,) = target.folders(LOG)
        entries = target.entries(f"{LOG}/{lineage}", recursive=True)
        pieces = [each for entry in entries if (each := ltx.piece(entry.path, entry.bytes)) is not None]
        newest = max(pieces, key=lambda each: (each.last, -each.level))
        name = f"{LOG}/{lineage}/{newest.name}"
        content = target.read(name)
        before = set(sealed.rglob("*"))
        target.remove(name)
        (file,) = before - set(sealed.rglob("*"))
        target.write(name, content or b"")
    raw = file.read_bytes()
    file.write_bytes(raw[: len(raw) // 2])
