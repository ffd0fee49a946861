"""What backups are tried with: the tools on PATH, an empty store, a target that answers."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import store
from tests.backup.far import S3, Directory, Far, Sftp
from tools.binaries import find
from tools.host import this_host
from tools.locations import locations
from tools.versions import BACKUP

KINDS: dict[str, type[Directory | S3 | Sftp]] = {"directory": Directory, "s3": S3, "sftp": Sftp}


class ToolsMissing(Exception):  # noqa: N818 (named after the state)
    """The message says which, and what to do."""


def path_with_tools() -> str:
    """PATH with litestream, restic and rclone: the toolchain's, or what somebody has put there.

    Raises:
        ToolsMissing: it cannot be.
    """
    folders, missing = [], []
    for tool in BACKUP:
        if (found := find(tool, locations(), this_host())) is not None:
            folders.append(str(found.folder))
        elif shutil.which(tool.name) is None:
            missing.append(tool.name)
    if missing:
        words = "`.venv/bin/python -m tools up` fetches or builds what is needed"
        raise ToolsMissing(f"{', '.join(missing)} missing: {words}")
    return os.pathsep.join([*folders, os.environ["PATH"]])


def make_empty_store(folder: Path) -> None:
    """A prepared store without data in a folder that is made for it."""
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "cortex_api.schema", str(folder)], check=True, timeout=120)
    store.prepare(folder)


@contextlib.contextmanager
def answering(kind: str, folder: Path) -> Iterator[Far]:
    """A target (`directory`, `s3`, `sftp`) until the end of the block."""
    made = KINDS[kind](folder)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        if isinstance(made, Sftp):
            made.end()
