"""Each way in which a backup can rot is found, by the check or by a drill, before anybody needs it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backup.config import load
from backup.gateway import LOG
from backup.records import BASES as MANIFESTS
from backup.target import Target, opened

from backup import ltx
from tests.backup.far import Directory
from tests.backup.scene import Daemon, Scene
from tests.recovery.servers import CHROMA, Stock

ROWS, BATCH = 600, 100


@dataclass
class Kept:
    """A target with a base and an archive that goes on after it, and the store they are of."""

    scene: Scene
    folder: Path
    base: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def kept(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Made once; each test rots a copy."""
    folder = tmp_path_factory.mktemp("kept")
    server = Stock(folder / "server")
    shutil.copytree(empty_store, server.store, dirs_exist_ok=True)
    far = Directory(folder / "far")
    far.start()
    scene = Scene(folder, far, server.store)
    daemon = Daemon(scene)
    made = Kept(scene, folder)
    server.start()
    try:
        server.wait_ready(180)
        client = server.connect()
        client.create("kept", "cosine", 8)
        daemon.start()
        scene.wait_archive(running=True)
        source = np.random.default_rng(1)
        for first in range(0, ROWS, BATCH):
            rows = range(first, first + BATCH)
            vectors = source.normal(size=(BATCH, 8)).astype(np.float32)
            client.write("kept", [f"r{row}" for row in rows], vectors, [f"text {row}" for row in rows])
            scene.wait_shipped(time.time())
            if first == ROWS // 2:
                made.base = scene.run("now", "--wait-s", "60")
        client.close()
        daemon.stop()
        server.stop()
        yield made
    finally:
        daemon.kill()
        server.kill()
        far.stop()


@dataclass
class Rotten:
    """A copy of the target, to be damaged."""

    scene: Scene
    place: Path
    base: str

    def change(self, what: Callable[[Target], None]) -> None:
        """Do something at the target with the key."""
        with opened(load(self.scene.config_file)) as target:
            what(target)

    def packs(self) -> list[Path]:
        """restic's files with data, the largest first."""
        files = [file for file in (self.place / "bases/data").rglob("*") if file.is_file()]
        return sorted(files, key=lambda file: file.stat().st_size, reverse=True)

    def pieces(self, target: Target) -> list[ltx.Piece]:
        """The archive's files, in the order of their transactions."""
        (lineage,) = target.folders(LOG)
        entries = target.entries(f"{LOG}/{lineage}", recursive=True)
        found = [each for entry in entries if (each := ltx.piece(entry.path, entry.bytes)) is not None]
        return sorted(found, key=lambda each: each.last)

    def path(self, target: Target, piece: ltx.Piece) -> str:
        """Where one of them is."""
        (lineage,) = target.folders(LOG)
        return f"{LOG}/{lineage}/{piece.name}"


@pytest.fixture
def rotten(kept: Kept, tmp_path: Path) -> Rotten:
    """A copy of it all."""
    far = Directory(tmp_path / "far")
    shutil.copytree(kept.scene.far.settings()["path"], far.settings()["path"], dirs_exist_ok=True)
    shutil.copytree(kept.scene.store, tmp_path / "store")
    scene = Scene(tmp_path, far, tmp_path / "store", key=kept.scene.content["key"])
    return Rotten(scene, Path(far.settings()["path"]), kept.base["id"])


def flip(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    file.write_bytes(raw)


def lost_pack(rotten: Rotten) -> None:
    rotten.packs()[0].unlink()


def flipped_byte_in_a_pack(rotten: Rotten) -> None:
    flip(rotten.packs()[0])


def cut_pack(rotten: Rotten) -> None:
    pack = rotten.packs()[0]
    pack.write_bytes(pack.read_bytes()[: pack.stat().st_size // 2])


def lost_index_of_the_repository(rotten: Rotten) -> None:
    for file in (rotten.place / "bases/index").iterdir():
        flip(file)


def lost_archive_segment(rotten: Rotten) -> None:
    def lose(target: Target) -> None:
        pieces = rotten.pieces(target)
        middle = pieces[-1].last // 2 + 1
        for each in pieces:
            if each.first <= middle <= each.last:
                target.remove(rotten.path(target, each))

    rotten.change(lose)


def flipped_byte_in_the_archive(rotten: Rotten) -> None:
    files = [file for file in (rotten.place / "sealed").rglob("*") if file.is_file()]
    flip(max(files, key=lambda file: file.stat().st_size))


def cut_archive_segment(rotten: Rotten) -> None:
    def cut(target: Target) -> None:
        name = rotten.path(target, rotten.pieces(target)[-1])
        target.write(name, (target.read(name) or b"")[:50])

    rotten.change(cut)


def cut_manifest(rotten: Rotten) -> None:
    name = f"{MANIFESTS}/{rotten.base}.json"
    rotten.change(lambda target: target.write(name, (target.read(name) or b"")[:100]))


def manifest_of_another_base(rotten: Rotten) -> None:
    def change(target: Target) -> None:
        name = f"{MANIFESTS}/{rotten.base}.json"
        record = json.loads(target.read(name) or b"{}")
        record["files"] = [{**each, "sha256": "0" * 64} for each in record["files"]]
        target.write(name, json.dumps(record).encode())

    rotten.change(change)


def wrong_key(rotten: Rotten) -> None:
    rotten.scene.configure(key="w" * 43)


def emptied(rotten: Rotten) -> None:
    shutil.rmtree(rotten.place)
    rotten.place.mkdir()


def clock_gone_back(rotten: Rotten) -> None:
    def change(target: Target) -> None:
        name = f"{MANIFESTS}/{rotten.base}.json"
        record = json.loads(target.read(name) or b"{}")
        target.write(name, json.dumps({**record, "taken_s": time.time() + 7 * 86_400}).encode())

    rotten.change(change)


def rebased(rotten: Rotten, damage: Callable[[Path], None]) -> None:
    """Damage the store itself, and have a base and no archive of that."""
    damage(rotten.scene.store)
    shutil.rmtree(rotten.place)
    rotten.place.mkdir()
    rotten.scene.run("now")


def stale_index_under_a_newer_number(rotten: Rotten) -> None:
    """The number says that the index has rows which it lacks: Chroma would answer without them."""

    def damage(path: Path) -> None:
        database = sqlite3.connect(path / "chroma.sqlite3")
        database.execute("UPDATE max_seq_id SET seq_id = seq_id + 90")
        database.commit()
        database.close()

    rebased(rotten, damage)


def purged_log(rotten: Rotten) -> None:
    def damage(path: Path) -> None:
        database = sqlite3.connect(path / "chroma.sqlite3")
        database.execute("DELETE FROM embeddings_queue WHERE seq_id < 200")
        database.commit()
        database.close()

    rebased(rotten, damage)


ROT = [
    lost_pack,
    flipped_byte_in_a_pack,
    cut_pack,
    lost_index_of_the_repository,
    lost_archive_segment,
    flipped_byte_in_the_archive,
    cut_archive_segment,
    cut_manifest,
    manifest_of_another_base,
    wrong_key,
    emptied,
    clock_gone_back,
    stale_index_under_a_newer_number,
    purged_log,
]


@pytest.mark.parametrize("rot", ROT, ids=lambda rot: rot.__name__)
def test_rot_is_found_by_check_or_drill(rotten: Rotten, monkeypatch: pytest.MonkeyPatch, rot: Any) -> None:
    monkeypatch.setenv("BACKUP_SERVER", f"{sys.executable} {CHROMA} run --path {{path}} --port {{port}}")
    reports = rotten.scene.folder / "reports"
    reports.mkdir()
    monkeypatch.setenv("BACKUP_REPORTS", str(reports))
    rot(rotten)
    found = {verb: problems(rotten.scene, verb, *more) for verb, *more in (("check", "--read-all"), ("drill",))}
    assert any(found.values()), "nobody noticed"
    print(rot.__name__, {verb: problem[:120] for verb, problem in found.items()})


def test_what_is_sound_is_called_sound(rotten: Rotten, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_SERVER", f"{sys.executable} {CHROMA} run --path {{path}} --port {{port}}")
    (rotten.scene.folder / "reports").mkdir()
    monkeypatch.setenv("BACKUP_REPORTS", str(rotten.scene.folder / "reports"))
    assert problems(rotten.scene, "check", "--read-all") == ""
    assert problems(rotten.scene, "drill") == ""


def problems(scene: Scene, verb: str, *more: str) -> str:
    """What a command finds wrong, in words; empty when it finds nothing."""
    process = scene.begin(verb, *more)
    out, err = process.communicate(timeout=180)
    if process.returncode == 0:
        return ""
    if process.returncode == 1:
        said = json.loads(out)
        return str(said.get("why") or said.get("problems"))
    return str(json.loads(err.splitlines()[-1])["message"])
