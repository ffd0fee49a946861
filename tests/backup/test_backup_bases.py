"""Bases beside a running server, and what can go wrong with them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from backup.config import load
from backup.target import opened

import store
from backup import bases, records
from tests.backup.far import BUCKET, S3, Directory, Far
from tests.backup.scene import LIMIT_S, Scene, kill_session
from tests.backup.writing import Writing
from tests.recovery.servers import Stock, free_port, wait_until

pytestmark = pytest.mark.process


@pytest.mark.parametrize("far", ["s3", "sftp"], indirect=True)
def test_a_base_of_a_store_that_is_written_is_whole(scene: Scene, server: Stock, tmp_path: Path, far: Far) -> None:
    writing = Writing(server, tmp_path)
    writing.start()
    writing.more(300)
    newest_row = store.inspect(scene.store).collections[0].log_seq or 0
    made = scene.run("now")
    writing.stop()
    assert made["newest_row"] >= newest_row > 0
    assert "shared" in {each["name"] for each in made["collections"]}
    assert made["archive"] is None
    checked = scene.run("check", "--read-all")
    assert checked["problems"] == []
    assert checked["bases"] == 1
    back = tmp_path / "back"
    with opened(load(scene.config_file)) as target:
        bases.repository(target, scene.folder / "scratch").restore(made["id"], back)
    assert json.loads((back / "state.json").read_text()) == json.loads(scene.content["state"])
    found = store.verify(back / "store", store.Depth.EMBEDDINGS)
    assert not found.findings
    assert store.inspect(back / "store").vectors == made["records"]
    assert list((scene.folder / "scratch").iterdir()) == [scene.folder / "scratch" / "restic-cache"]


def test_a_base_that_is_killed_leaves_nothing_that_the_next_does_not_remove(still: Scene) -> None:
    scene = still
    work = scene.folder / "scratch" / "base"
    data = scene.folder / "far" / "bases" / "data"
    moments: tuple[Callable[[], bool], ...] = (
        (work / "store").exists,
        (work / "state.json").exists,
        lambda: any(each.is_file() for each in data.rglob("*")),
    )
    for moment in moments:
        process = scene.begin("now")
        wait_until(moment, "the moment to kill", LIMIT_S)
        kill_session(process)
    made = scene.run("now")
    listed = scene.run("list")
    assert [base["id"] for base in listed["bases"]][-1] == made["id"]
    assert all(base["readable"] for base in listed["bases"])
    assert scene.run("check", "--read-all")["problems"] == []
    assert not work.exists()
    assert not list((scene.folder / "tmp").iterdir())
    assert not list((scene.folder / "far" / "bases" / "locks").iterdir())


def test_the_last_verified_and_the_pinned_base_stay(still: Scene) -> None:
    still.configure(bases={"keep": {"last": 1, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0}})
    made = [still.run("now")["id"] for _ in range(4)]
    with opened(load(still.config_file)) as target:
        bases.mark(target, made[0], verified_s=time.time(), verified_by="a test")
        bases.mark(target, made[1], pinned="a drill of a later one failed")
        assert still.run("retain")["bases"] == [made[2]]
        assert set(records.read_all(target, records.BASES)) == {made[0], made[1], made[3]}
    assert [base["id"] for base in still.run("list")["bases"]] == [made[0], made[1], made[3]]
    assert still.run("check", "--read-all")["problems"] == []


def test_what_is_wrong_is_said(still: Scene) -> None:
    right = dict(still.content)
    still.run("now")
    still.configure(key="another-key-of-43-characters-xxxxxxxxxxxxxxx")
    assert "made with another key" in still.run("now", code=65)["message"]
    still.configure(key=right["key"], target={"kind": "directory", "path": str(still.folder / "nowhere")})
    assert "does not exist: mount the volume" in still.run("now", code=75)["message"]
    still.configure(target={**right["target"], "path": "relative"})
    assert "target.path is not an absolute path" in still.run("now", code=78)["message"]


@pytest.mark.parametrize("far", ["s3"], indirect=True)
def test_what_is_wrong_with_a_bucket_is_said(still: Scene, far: S3) -> None:
    still.configure(target={**far.settings(), "secret_access_key": "not-the-right-one"})
    assert "refuses: check its credentials" in still.run("now", code=65)["message"]
    still.configure(target={**far.settings(), "bucket": f"no-{BUCKET}"})
    assert "there is no such bucket" in still.run("now", code=75)["message"]
    still.configure(target={**far.settings(), "endpoint": f"https://127.0.0.1:{free_port()}"})
    assert "does not answer" in still.run("now", code=75)["message"]
    still.configure(target={**far.settings(), "ca": ""})
    assert "is not who it should be" in still.run("now", code=65)["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_target_is_said(still: Scene, far: Directory) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(far.folder)], check=True)
    try:
        assert "has no room left" in still.run("now", code=75)["message"]
    finally:
        subprocess.run(["umount", str(far.folder)], check=True)
