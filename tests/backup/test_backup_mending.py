"""Damage that was found: the next base is whole again, and what stays broken leaves once a later one was read back."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from backup.config import load
from backup.gateway import LOG
from backup.target import opened

from backup import ltx
from tests.backup.far import Directory
from tests.backup.scene import LIMIT_S, Daemon, Scene, log_of
from tests.recovery.servers import CHROMA, Stock, wait_until

pytestmark = pytest.mark.process


def flip(packs: list[Path]) -> None:
    """One bit of the largest."""
    raw = bytearray(packs[0].read_bytes())
    raw[len(raw) // 2] ^= 0x10
    packs[0].write_bytes(raw)


def cut(packs: list[Path]) -> None:
    """Half of the largest stays."""
    packs[0].write_bytes(packs[0].read_bytes()[: packs[0].stat().st_size // 2])


def lose(packs: list[Path]) -> None:
    """All of them."""
    for pack in packs:
        pack.unlink()


@pytest.fixture
def drilling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What drills need beyond a scene."""
    (tmp_path / "reports").mkdir()
    monkeypatch.setenv("BACKUP_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setenv("BACKUP_SERVER", f"{sys.executable} {CHROMA} run --path {{path}} --port {{port}}")


def packs_of(far: Directory) -> list[Path]:
    """Files of data, the largest first."""
    files = [file for file in (far.folder / "bases/data").rglob("*") if file.is_file()]
    return sorted(files, key=lambda file: file.stat().st_size, reverse=True)


@pytest.mark.usefixtures("drilling")
@pytest.mark.parametrize(
    ("damage", "lacking"),
    [
        pytest.param(flip, 0, id="flipped", marks=pytest.mark.full),  # what both bases have
        pytest.param(cut, 0, id="cut", marks=pytest.mark.full),
        pytest.param(lose, 1, id="lost", marks=pytest.mark.full),  # with the first one's own manifest
    ],
)
def test_what_rotted_is_saved_again_with_the_next_base(
    still: Scene, far: Directory, damage: Callable[[list[Path]], None], lacking: int
) -> None:
    first = still.run("now")
    damage(packs_of(far))
    assert "damaged" in still.run("check", "--read-all", code=1)["problems"][0]

    second = still.run("now")
    into = still.folder / "back"
    done = still.run("restore", "--to", second["id"], "--into", str(into))
    assert (done["source"], done["notes"]) == ("base", [])
    assert log_of(into / "chroma.sqlite3") == log_of(still.store / "chroma.sqlite3")

    # What was in the first base alone is gone: that is told until a later one was read back.
    left = still.run("check", "--read-all", code=lacking)["problems"]
    assert [each[:13] for each in left if each.startswith("base ")] == [f"base {first['id'][:8]}"] * lacking
    assert still.run("retain")["bases"] == []
    assert still.run("drill")["passed"]
    still.run("reports")
    assert still.run("retain")["bases"] == [first["id"]] * lacking
    assert still.run("check", "--read-all")["problems"] == []
    shutil.rmtree(into)
    assert still.run("restore", "--into", str(into))["notes"] == []


@pytest.mark.usefixtures("drilling")
def test_the_daemon_mends_by_itself_and_is_content_in_the_end(still: Scene, far: Directory) -> None:
    first = still.run("now")

    def damage_told() -> str:
        state = still.state()
        return "" if state is None else str(state["base"]["damage"])

    lose(packs_of(far))
    daemon = Daemon(still)
    try:
        daemon.start()
        assert still.run("check", "--wait-s", "60", code=1)["problems"][0].startswith("the bases at")
        wait_until(lambda: f"base {first['id'][:8]}" in damage_told(), "it to look again after a base", LIMIT_S)
        (said,) = daemon.said("now.warning")
        assert "was made anew" in said["reason"]
        (second,) = daemon.said("now.done")
        assert still.run("drill")["passed"]
        wait_until(lambda: damage_told() == "", "the first base to go", LIMIT_S)
        assert [base["id"] for base in still.run("list")["bases"]] == [second["id"]]
        assert daemon.stop() == 0
    finally:
        daemon.kill()


@pytest.mark.full
def test_an_archive_that_lacks_something_is_begun_anew(scene: Scene, server: Stock, daemon: Daemon) -> None:
    scene.configure(archive={"step_s": 86_400})  # no compaction mends what is taken away
    client = server.connect()
    client.create("steps", "l2", 4)
    daemon.start()
    scene.wait_archive(running=True, why="")
    for number in range(4):
        client.write("steps", [f"r{number}"], np.full((1, 4), number, dtype=np.float32), None)
        scene.wait_shipped(time.time())
    client.close()
    lineage = scene.lineage()
    wait_until(lambda: bool(scene.run("list")["lineages"][0]["whole_s"]), "it to be known as whole", LIMIT_S)
    with opened(load(scene.config_file)) as target:
        entries = target.entries(f"{LOG}/{lineage}", recursive=True)
        pieces = sorted(
            (each for entry in entries if (each := ltx.piece(entry.path, entry.bytes)) is not None),
            key=lambda piece: piece.last,
        )
        lost = pieces[-2].last
        for piece in pieces:
            if piece.first <= lost <= piece.last:
                target.remove(f"{LOG}/{lineage}/{piece.name}")
    (problem,) = scene.run("check", "--wait-s", "60", code=1)["problems"]
    assert problem.startswith(f"the archive {lineage}: ")
    wait_until(lambda: bool(daemon.said("check.done")), "it to look again", LIMIT_S)
    assert [said["problems"] for said in daemon.said("check.done")] == [[]]
    assert scene.lineage() != lineage
    server.kill()
    assert daemon.stop() == 0
    assert log_of(scene.restored_log()) == log_of(server.store / "chroma.sqlite3")
