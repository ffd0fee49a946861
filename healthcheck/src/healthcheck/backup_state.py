"""What the archiver beside the server tells of archive, bases and drills, in a file of the store."""

from __future__ import annotations

import json
from pathlib import Path

from healthcheck.observation import ArchiveView, BackupView, BaseView, DrillView

FILE = ".cortex/backup.json"
VERSION = 1
_MAX_BYTES = 1 << 16


def read_backup_state(store: Path) -> BackupView:
    """What was told last.

    Raises:
        OSError: nothing was told yet, or it cannot be read.
        ValueError: it is not what this version's archiver writes.
    """
    with (store / FILE).open("rb") as file:
        told = json.loads(file.read(_MAX_BYTES))
    try:
        if told["version"] != VERSION:
            raise ValueError(f"version {told['version']} of the archiver's state is not known here")
        return BackupView(
            told_wall_s=float(told["written_s"]),
            archive=ArchiveView(**told["archive"]),
            base=BaseView(**told["base"]),
            drill=DrillView(**told["drill"]),
            staging_bytes=int(told["staging_bytes"]),
            wal_bytes=int(told["wal_bytes"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"the archiver's state lacks something: {error}") from error
