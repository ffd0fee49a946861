"""The daemon beside a store: bases by schedule, what it tells, and what it keeps to itself."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import psutil
import pytest
from backup.config import load
from backup.keys import derive
from backup.target import opened

from backup import records
from tests.backup.far import S3
from tests.backup.scene import LIMIT_S, Daemon, Scene
from tests.recovery.servers import Stock, wait_until

pytestmark = pytest.mark.process


@pytest.mark.parametrize("far", ["s3"], indirect=True)
def test_it_makes_bases_tells_how_it_stands_and_no_secret(scene: Scene, daemon: Daemon, server: Stock, far: S3) -> None:
    scene.configure(bases={"schedule": "0 * * * *"})
    server.connect().create("some", "l2", 3)
    daemon.start()
    seen: set[str] = set()

    def noted(base: str) -> bool:
        seen.update(public_of(daemon))
        state = scene.state()
        return state is not None and state["base"]["id"] not in {"", base} and state["archive"]["lag_s"] is not None

    wait_until(lambda: noted(""), "the first base", LIMIT_S)
    first = scene.state() or {}
    with opened(load(scene.config_file)) as target:
        manifest = records.read(target, records.BASES, first["base"]["id"]) or {}
    assert manifest["archive"]["lineage"] == scene.lineage(), "its indexes can help the archive"
    by_hand = scene.run("now", "--wait-s", "60")
    wait_until(lambda: noted(first["base"]["id"]), "the base that was made by hand", LIMIT_S)
    state = scene.state() or {}
    assert state["base"]["id"] == by_hand["id"]
    assert state["base"]["next_s"] > state["written_s"] - 1
    assert state["base"]["overdue_after_s"] > state["base"]["next_s"]
    assert scene.run("status")["problems"] == []
    assert scene.run("check", "--wait-s", "60")["problems"] == []
    for line in ("cortex_backup_bases 2.0", "cortex_backup_check_problems 0.0", "cortex_archive_lag_seconds "):
        wait_until(lambda line=line: line in daemon.get("/metrics"), line, LIMIT_S)  # type: ignore[misc]
    keys = derive(scene.content["key"])
    secrets = {
        *(scene.content["key"], keys.restic_password, keys.crypt_password, keys.crypt_salt),
        *(far.secret, scene.content["state"]),
    }
    told = "\n".join(seen) + daemon.log.read_text() + daemon.get("/metrics")
    assert not [secret for secret in secrets if secret in told]
    files = [file for file in (scene.folder / "tmp").rglob("*") if not file.is_symlink()]
    assert len(files) > 5
    open_to_others = [str(file) for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077 and is_reachable(file)]
    assert open_to_others == []
    assert daemon.stop() == 0
    assert not list((scene.folder / "tmp").iterdir())


def test_it_waits_for_a_store_that_is_not_there_yet(still: Scene, empty_store: Path) -> None:
    shutil.rmtree(still.store)
    still.store.mkdir()
    daemon = Daemon(still)
    try:
        daemon.start()
        state = still.wait_archive(running=False, why="waits for the server to make the store")
        assert state["base"]["taken_s"] is None
        shutil.copytree(empty_store, still.store, dirs_exist_ok=True)
        still.wait_archive(running=True, why="")
        assert daemon.stop() == 0
    finally:
        daemon.kill()


def public_of(daemon: Daemon) -> set[str]:
    """What other users see of its processes, and their environment, which only root sees."""
    found = set()
    for pid in daemon.session():
        try:
            process = psutil.Process(pid)
            found |= {*process.cmdline(), *process.environ().values()}
        except (psutil.Error, OSError):
            continue
    return found


def is_reachable(file: Path) -> bool:
    """Whether others come to it: every folder above it, up to the private one, lets them in."""
    private = next(parent for parent in [file, *file.parents] if parent.name.startswith("cortex-backup-"))
    return bool(stat.S_IMODE(private.stat().st_mode) & 0o077)
