"""Any moment can be restored: nothing that was written later, and nothing missing but the last step before."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from backup.config import load
from backup.gateway import LOG
from backup.restoring.restore import restore
from backup.restoring.wanted import Wanted
from backup.target import opened

from backup import ltx
from tests.backup.scene import Daemon, Scene
from tests.recovery.servers import Stock, wait_until

pytestmark = pytest.mark.process

STEP_S, RECENT_S = 5, 8
READ_S = 2.0
"""From the end of a write to when it is read from the log, on a machine with other work."""
SHORT = f"""
import json
from backup import cli, litestream
usual = litestream.configuration
def configuration(**given):
    content = json.loads(usual(**given))
    return json.dumps(content | {{"l0-retention": "{RECENT_S}s", "l0-retention-check-interval": "1s"}})
litestream.configuration = configuration
cli.main(["run"])
"""


class ShortDaemon(Daemon):
    """It keeps every look at the log for seconds, not for five minutes."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", SHORT]


@pytest.mark.parametrize(("moments", "rows"), [(5, 80), pytest.param(20, 240, marks=pytest.mark.full)])
def test_random_moments_over_a_compacted_archive(
    scene: Scene, server: Stock, tmp_path: Path, moments: int, rows: int
) -> None:
    scene.configure(archive={"step_s": STEP_S})
    client = server.connect()
    client.create("steps", "l2", 4)
    daemon = ShortDaemon(scene)
    try:
        daemon.start()
        scene.wait_archive(running=True, why="")
        written: list[tuple[str, float, float]] = []
        base = None
        for number in range(rows):
            began_s = time.time()
            client.write("steps", [f"r{number}"], np.full((1, 4), number, dtype=np.float32), None)
            written.append((f"r{number}", began_s, time.time()))
            if number == rows // 2:
                base = scene.begin("now", "--wait-s", "60")
            time.sleep(0.25)
        assert base is not None
        scene.finish(base, "now")
        scene.wait_shipped(time.time())
        wait_until(lambda: compacted(scene), "the first files to be compacted")
        client.close()
        server.kill()
        assert daemon.stop() == 0
    finally:
        daemon.kill()

    seed = time.time_ns()
    source = np.random.default_rng(seed)
    first_s, last_s = written[0][2] + READ_S, written[-1][2]
    for number in range(moments):
        moment_s = source.uniform(first_s, last_s)
        there = restored_at(scene, moment_s, tmp_path / f"at-{number}")
        later = {id_ for id_, began_s, _ in written if began_s > moment_s} & there
        assert later == set(), f"written after {moment_s} (seed {seed})"
        lost = {id_ for id_, _, ended_s in written if ended_s < moment_s - STEP_S - READ_S} - there
        assert lost == set(), f"older than a step before {moment_s} (seed {seed})"


def compacted(scene: Scene) -> bool:
    """Whether the first looks at the log are gone, so that only steps are left of their time."""
    with opened(load(scene.config_file)) as target:
        entries = target.entries(f"{LOG}/{scene.lineage()}", recursive=True)
    pieces = [each for entry in entries if (each := ltx.piece(entry.path, entry.bytes)) is not None]
    return min((each.first for each in pieces if each.level == 0), default=0) > 4


def restored_at(scene: Scene, moment_s: float, into: Path) -> set[str]:
    """Ids in the log of the state of a moment."""
    with opened(load(scene.config_file)) as target:
        restore(target, scene.folder / "scratch", into, Wanted(moment_s=moment_s))
    database = sqlite3.connect(into / "chroma.sqlite3")
    try:
        return {id_ for (id_,) in database.execute("SELECT id FROM embeddings_queue")}
    finally:
        database.close()
