"""What the daemon tells the guard and `status`, in a file of the store."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.lock_file import DIRECTORY

from backup.archive_view import ArchiveView

VERSION = 1
FILE = "backup.json"
SILENT_S = 60.0
"""A state that is older says nothing any more: it is written every few seconds."""


@dataclass(frozen=True, slots=True)
class BaseView:
    """The newest base. Times are seconds of the epoch."""

    id: str = ""
    taken_s: float | None = None
    next_s: float | None = None
    overdue_after_s: float | None = None
    bytes: int = 0
    verified_s: float | None = None
    failures: int = 0
    damage: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class DrillView:
    """The last drill, as its report at the target tells. Times are seconds of the epoch."""

    ended_s: float | None = None
    passed: bool | None = None
    rto_s: float | None = None
    rpo_s: float | None = None
    next_s: float | None = None
    overdue_after_s: float | None = None
    why: str = ""


def content(archive: ArchiveView, base: BaseView, drill: DrillView, now_s: float) -> dict[str, Any]:
    """The file's, as JSON."""
    return {
        "version": VERSION,
        "written_s": now_s,
        "archive": {
            "running": archive.running,
            "lineage": archive.lineage,
            "synced_s": archive.synced_s,
            "lag_s": archive.lag_s(now_s),
            "why": archive.why,
        },
        "base": {name: getattr(base, name) for name in BaseView.__dataclass_fields__},
        "drill": {name: getattr(drill, name) for name in DrillView.__dataclass_fields__},
        "staging_bytes": archive.staging_bytes,
        "wal_bytes": archive.wal_bytes,
    }


def publish(store: Path, state: dict[str, Any]) -> None:
    """Replace the file's content at once: a reader sees the old state or the new one.

    Raises:
        OSError: it cannot be written.
    """
    folder = store / DIRECTORY
    folder.mkdir(mode=0o700, exist_ok=True)
    temporary = folder / f"{FILE}.new"
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(state) + "\n")
    temporary.replace(folder / FILE)


def read(store: Path) -> dict[str, Any] | None:
    """What was told last; None when nothing was, or by another version."""
    try:
        found = json.loads((store / DIRECTORY / FILE).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("version") == VERSION else None
