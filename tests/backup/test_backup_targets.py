"""Targets that are slow, full, or let nobody in."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import numpy as np
import pytest

from tests.backup.far import Far, Sftp
from tests.backup.scene import LIMIT_S, Daemon, Scene, log_of
from tests.backup.slow import Slow
from tests.recovery.servers import Stock, free_port, wait_until

pytestmark = pytest.mark.process

ROWS, DIMENSIONS = 100, 1_000
"""0.4 MB of vectors, which nothing compresses."""
FEW = np.random.default_rng(1).random((ROWS, DIMENSIONS), dtype=np.float32)
NARROW_BYTES_PER_S = 80_000
LARGEST_LAG_S = 3.0
"""On a line that is wide enough."""


@pytest.fixture
def line(far: Far) -> Iterator[Slow]:
    """To the target."""
    made = Slow(far)
    yield made
    made.end()


def archive_of(scene: Scene) -> dict[str, Any]:
    """As the daemon told it last."""
    return dict((scene.state() or {})["archive"])


def lag_s(scene: Scene) -> float:
    """How far the archive is behind."""
    return float(archive_of(scene)["lag_s"] or 0.0)


@pytest.mark.full
@pytest.mark.parametrize("far", ["s3", "sftp"], indirect=True)
def test_a_slow_target_delays_archive_and_bases_and_no_writes(
    scene: Scene, server: Stock, daemon: Daemon, line: Slow
) -> None:
    scene.configure(target=line.settings())
    client = server.connect()
    client.create("large", "l2", DIMENSIONS)
    daemon.start()
    before = scene.wait_archive(running=True, why="")
    quick = scene.run("now", "--wait-s", "60")
    line.bytes_per_s = NARROW_BYTES_PER_S
    took_s = 0.0
    for batch in range(3):
        began_s = time.monotonic()
        client.write("large", [f"{batch}-{row}" for row in range(ROWS)], FEW + batch, None)
        took_s = max(took_s, time.monotonic() - began_s)
    assert took_s < LARGEST_LAG_S, "a write waited for the target"
    wait_until(lambda: lag_s(scene) > LARGEST_LAG_S, "the lag to rise", LIMIT_S)
    assert archive_of(scene)["running"]
    slow = scene.run("now", "--wait-s", "60")
    assert slow["save_s"] > slow["added_bytes"] / NARROW_BYTES_PER_S > quick["save_s"]
    line.bytes_per_s = 0
    healed = scene.wait_shipped(time.time())
    assert healed["archive"]["lineage"] == before["archive"]["lineage"]
    wait_until(lambda: lag_s(scene) < LARGEST_LAG_S, "the lag to heal", LIMIT_S)
    client.close()
    server.kill()
    assert daemon.stop() == 0
    assert log_of(scene.restored_log()) == log_of(server.store / "chroma.sqlite3")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_target_says_so_and_goes_on_when_there_is_room(
    scene: Scene, server: Stock, daemon: Daemon, tmp_path: Path
) -> None:
    client = server.connect()
    client.create("large", "l2", DIMENSIONS)
    place = tmp_path / "far"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=True)
    try:
        first = scene.run("now")
        daemon.start()
        before = scene.wait_archive(running=True, why="")
        fill(place)
        client.write("large", [f"row-{row}" for row in range(ROWS)], FEW, None)
        wait_until(lambda: "has no room left. Make room there" in archive_of(scene)["why"], "it to be told", LIMIT_S)
        assert "has no room left. Make room there" in scene.run("now", "--wait-s", "60", code=75)["message"]
        client.write("large", [f"row-{row}" for row in range(ROWS)], FEW, None)
        (place / "filler").unlink()
        healed = scene.wait_shipped(time.time())
        assert healed["archive"]["lineage"] == before["archive"]["lineage"]
        second = scene.run("now", "--wait-s", "60")
        assert [base["id"] for base in scene.run("list")["bases"]] == [first["id"], second["id"]]
        assert scene.run("check", "--read-all", "--wait-s", "60")["problems"] == []
        wait_until(lambda: not scene.unnamed_files(), "what broke off to be removed", LIMIT_S)
        assert [file.name for file in place.rglob("*") if "tmp" in file.name or file.suffix == ".partial"] == []
        client.close()
        server.kill()
        assert daemon.stop() == 0
        assert log_of(scene.restored_log()) == log_of(server.store / "chroma.sqlite3")
        assert {entry.name for entry in (scene.folder / "scratch").iterdir()} == {"restic-cache"}
        assert not list((scene.folder / "tmp").iterdir())
    finally:
        daemon.kill()
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> None:
    """Leave no room."""
    with (place / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


@pytest.mark.parametrize("far", ["sftp"], indirect=True)
def test_who_is_not_let_in_is_told_what_to_correct(still: Scene, far: Sftp, tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    changes: tuple[tuple[dict[str, Any], int, str], ...] = (
        ({"private_key": other.export_private_key().decode()}, 65, "check its credentials"),
        ({"host_key": other.export_public_key().decode().strip()}, 65, "check its host key"),
        ({"port": free_port()}, 75, "does not answer"),
    )
    for change, code, words in changes:
        still.configure(target={**far.settings(), **change})
        began_s = time.monotonic()
        for verb, *more in (("now",), ("retain",), ("restore", "--into", str(tmp_path / "back"))):
            assert words in still.run(verb, *more, code=code)["message"]
        assert time.monotonic() - began_s < LIMIT_S / 2, "restic tries for minutes what cannot come about"
