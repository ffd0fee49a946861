"""What power loss leaves of acknowledged writes: everything, on a prepared store, once the guard's repair has run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.count_syncs import count

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
NEEDED = (
    "this test cuts the power of a file system on a loop device: run it as root, or as a user who may start a "
    "privileged container (then an image of the API must be there: `make up` builds one)"
)


def as_root(module: str, *arguments: str) -> str:
    """Run a module of the tests as root: here, or in a privileged container that sees this machine's files."""
    command = [sys.executable, "-m", module, *arguments]
    if os.geteuid() != 0 or not list(Path("/dev").glob("loop*")):
        listed = subprocess.run(["docker", "images", "-q", "cortex-api"], check=False, capture_output=True, text=True)
        image = next(iter(listed.stdout.split()), "")
        assert image, NEEDED
        machine = [
            "docker",
            "run",
            "--rm",
            "--privileged",
            "--user",
            "0",
            "--volume",
            "/:/host",
            "--entrypoint",
            "chroot",
        ]
        command = [*machine, image, "/host", "env", "-C", str(ROOT), "ANONYMIZED_TELEMETRY=False", *command]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert done.returncode == 0, f"{NEEDED}\n{done.stderr}"
    return done.stdout


def power_cuts(*arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(as_root("tests.recovery.power_cuts", *arguments)))


def test_after_a_power_cut_every_acknowledged_write_is_there_and_right() -> None:
    cuts = power_cuts("--cuts", "2", "--seed", "7")
    assert [(each["lost"], each["wrong"], each["undecided"], each["error"]) for each in cuts] == [(0, 0, 0, "")] * 2
    assert sum(each["damaged"] for each in cuts) > 0, "no index was torn, so the repair was not needed"


def test_the_same_cut_breaks_the_store_as_chroma_makes_it() -> None:
    (cut,) = power_cuts("--cuts", "1", "--seed", "7", "--stock")
    assert cut["error"] or cut["wrong"]


def test_the_cut_takes_what_was_not_synced_and_nothing_else() -> None:
    found = json.loads(as_root("tests.recovery.power_sync"))
    assert found["files"] == {"synced": "text", "unsynced": ""}
    assert found["full"] == {"acknowledged": 200, "there": 200}
    assert found["off"]["acknowledged"] == 200
    assert found["off"]["there"] < 200


def test_a_write_answered_before_its_sync_would_be_counted() -> None:
    lines = [
        'write(9</d/journal>, "0\\n", 2) = 2',
        'pwrite64(8</d/store/chroma.sqlite3-wal>, "x", 1, 0) = 1',
        "fsync(8</d/store/chroma.sqlite3-wal>) = 0",
        'write(9</d/journal>, "1\\n", 2) = 2',
        'pwrite64(8</d/store/chroma.sqlite3-wal>, "x", 1, 0) = 1',
        'write(9</d/journal>, "2\\n", 2) = 2',
    ]
    counted = count("\n".join(lines))
    assert (counted["writes"], counted["wal_syncs_per_write"]) == (2, [0, 1])
    assert counted["unsynced_at_acknowledgement"] == 1
