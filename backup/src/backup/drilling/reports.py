"""Reports of drills: written where the archiver reads them, which keeps them beside the backups."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

FOLDER_VARIABLE, DEFAULT_FOLDER = "BACKUP_REPORTS", "/reports"
_KEPT = 20


def folder() -> Path:
    """Where they are."""
    return Path(os.environ.get(FOLDER_VARIABLE, DEFAULT_FOLDER))


def write(into: Path, report: dict[str, Any]) -> Path:
    """Write one, named after its end; the oldest beyond some go."""
    ended = datetime.datetime.fromtimestamp(report["ended_s"], datetime.UTC)
    file = into / f"{ended:%Y%m%dT%H%M%SZ}.json"
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(report, indent=1) + "\n")
    temporary.replace(file)
    for old in sorted(into.glob("*.json"))[:-_KEPT]:
        old.unlink()
    return file


def newest_name(out_of: Path) -> str:
    """Of the last one; empty without any."""
    return max((file.stem for file in out_of.glob("*.json")), default="")


def read_all(out_of: Path) -> dict[str, dict[str, Any]]:
    """All of them by name, the oldest first; none without a folder."""
    found = {}
    for file in sorted(out_of.glob("*.json")):
        try:
            report = json.loads(file.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(report, dict):
            found[file.stem] = report
    return found
