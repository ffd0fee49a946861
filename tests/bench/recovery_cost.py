"""What backups take at the target, and how long a base is made, against `cp -a` and restic alone."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.backup.making import answering
from tests.backup.scene import Scene
from tests.bench.recovery_stage import LIMIT_S, Stage


@dataclass(frozen=True)
class Stored:
    """Bytes a row, of files.

    Attributes:
        store: Where the server has it.
        archive: At the target: the whole log once, and what was shipped lately in steps.
        bases: At the target, after one base under load.
    """

    store: float
    archive: float
    bases: float


@dataclass(frozen=True)
class Cost:
    """Of a store that nobody writes. Seconds.

    Attributes:
        base_s: The whole command, to an empty target.
        again_s: The same again, when the target has all of it.
        copy_s: `cp -a`, until it is on disk, as the others are.
        restic_s: `restic backup` to an empty repository in a directory.
    """

    base_s: float
    again_s: float
    copy_s: float
    restic_s: float


def stored(staged: Stage, rows: int) -> Stored:
    """Look. Args: rows: in the store."""
    root = next(path for path in staged.folder.glob("far/**/bases") if path.is_dir()).parent
    parts = (staged.server.store, root / "sealed", root / "bases")
    return Stored(*(_bytes(part) / rows for part in parts))


def measure(staged: Stage) -> Cost:
    """Make each once, of the same store, whose server is stopped."""
    folder = staged.folder / "cost"
    with answering(staged.setting.kind, folder / "far") as far:
        scene = Scene(folder, far, staged.server.store)
        fresh = Stage(staged.setting, folder, staged.server, scene, staged.daemon)
        base_s, again_s = (fresh.command("now")[1] for _ in range(2))
    shutil.rmtree(folder)
    folder.mkdir()
    copy_s = _timed(lambda: _copy(staged.server.store, folder / "copy"))
    shutil.rmtree(folder / "copy")
    password = {"RESTIC_PASSWORD": secrets.token_urlsafe(32), "RESTIC_CACHE_DIR": str(folder / "cache")}
    _run("restic", "--quiet", "--repo", str(folder / "alone"), "init", **password)
    command = ("restic", "--quiet", "--repo", str(folder / "alone"), "backup", str(staged.server.store))
    restic_s = _timed(lambda: _run(*command, **password))
    shutil.rmtree(folder)
    return Cost(base_s, again_s, copy_s, restic_s)


def _copy(store: Path, to: Path) -> None:
    _run("cp", "-a", str(store), str(to))
    _run("sync", "--file-system", str(to))


def _run(*command: str, **variables: str) -> None:
    subprocess.run(command, check=True, env={**os.environ, **variables}, timeout=LIMIT_S)


def _timed(work: Callable[[], None]) -> float:
    started_s = time.monotonic()
    work()
    return time.monotonic() - started_s


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
