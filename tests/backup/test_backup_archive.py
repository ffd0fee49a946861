"""The archive of a store that is written all the time: whatever happens, it restores to what was acknowledged."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from store.archiving import Closed

from tests.backup.far import S3
from tests.backup.scene import LIMIT_S, MIB, Daemon, Scene, log_of
from tests.backup.writing import Writing
from tests.recovery.servers import Stock, wait_until

pytestmark = pytest.mark.process

LARGE = np.random.default_rng(1).random((250, 1_000), dtype=np.float32)
"""A megabyte of vectors."""


@pytest.fixture
def writing(server: Stock, tmp_path: Path) -> Iterator[Writing]:
    writers = Writing(server, tmp_path)
    writers.start()
    yield writers
    writers.stop()


def archive_of(scene: Scene) -> dict[str, Any]:
    """As the daemon told it last."""
    return dict((scene.state() or {})["archive"])


def same_log(scene: Scene, server: Stock) -> None:
    """The archive is the server's log, row by row; nothing writes any more."""
    assert log_of(scene.restored_log()) == log_of(server.store / "chroma.sqlite3")


def test_it_survives_the_death_of_its_parts_and_lets_go_of_the_database(
    scene: Scene, daemon: Daemon, server: Stock, writing: Writing
) -> None:
    daemon.start()
    scene.wait_archive(running=True, why="")
    for tool in ("litestream", "rclone"):
        writing.more(300)
        killed_s = time.time()
        os.kill(daemon.pid_of(tool), signal.SIGKILL)
        scene.wait_shipped(killed_s)
    writing.more(300)
    daemon.kill()
    killed_s = time.time()
    daemon.start()
    scene.wait_shipped(killed_s)
    writing.more(300)
    with Closed(server.store) as closed:
        closed.wait(10.0)
        assert "litestream" not in {psutil.Process(pid).name() for pid in daemon.session()}
        writing.more(100)
    opened_s = time.time()
    scene.wait_shipped(opened_s)
    state = scene.wait_archive(running=True, why="")
    assert state["archive"]["lag_s"] < 60
    writing.stop()
    server.kill()
    assert daemon.stop() == 0
    same_log(scene, server)


@pytest.mark.parametrize("far", ["s3"], indirect=True)
def test_an_outage_of_the_target_is_told_and_heals(
    scene: Scene, daemon: Daemon, server: Stock, writing: Writing, far: S3
) -> None:
    daemon.start()
    before = scene.wait_archive(running=True, why="")
    far.stop()
    wait_until(lambda: "does not answer" in archive_of(scene)["why"], "the outage to be told", LIMIT_S)
    lag_s = archive_of(scene)["lag_s"]
    writing.more(300)
    wait_until(lambda: archive_of(scene)["lag_s"] > lag_s + 5, "the lag to rise", LIMIT_S)
    assert archive_of(scene)["running"]
    assert "cortex_archive_lag_seconds" in daemon.get("/metrics")
    assert (server.store / "chroma.sqlite3-wal").stat().st_size < scene.content["archive"]["wal_bytes"]
    far.start()
    healed = scene.wait_shipped(time.time())
    assert healed["archive"]["lag_s"] < lag_s + 5
    assert healed["archive"]["lineage"] == before["archive"]["lineage"]
    wait_until(lambda: not scene.unnamed_files(), "what broke off to be removed", LIMIT_S)
    writing.stop()
    server.kill()
    assert daemon.stop() == 0
    same_log(scene, server)


@pytest.mark.parametrize("far", ["s3"], indirect=True)
def test_what_waits_for_the_target_is_bounded(scene: Scene, daemon: Daemon, server: Stock, far: S3) -> None:
    scene.configure(archive={"staging_bytes": MIB})
    client = server.connect()
    client.create("large", "l2", 1_000)
    daemon.start()
    before = scene.wait_archive(running=True, why="")
    far.stop()

    def given_up() -> bool:
        client.write("large", [f"row-{number}" for number in range(250)], LARGE, None)
        return not archive_of(scene)["running"]

    wait_until(given_up, "the archive to let go", LIMIT_S)
    assert "wait for the target" in archive_of(scene)["why"]
    wait_until(lambda: not list((scene.folder / "staging").iterdir()), "staging to be empty", LIMIT_S)
    client.write("large", [f"row-{number}" for number in range(250)], LARGE, None)
    far.start()
    after = scene.wait_shipped(time.time())
    assert after["archive"]["lineage"] != before["archive"]["lineage"]
    server.kill()
    assert daemon.stop() == 0
    same_log(scene, server)
