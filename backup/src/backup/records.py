"""Small JSON files at the target, encrypted: manifests of bases, reports of drills, begins of lineages."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

from backup.errors import Damaged
from backup.target import Target

BASES, DRILLS, LINEAGES = "records/bases", "records/drills", "records/lineages"

Record = dict[str, Any]


def write(target: Target, folder: str, name: str, record: Record) -> None:
    """Write a record, over one of the same name."""
    target.write(f"{folder}/{name}.json", (json.dumps(record, indent=1, sort_keys=True) + "\n").encode())


def read(target: Target, folder: str, name: str) -> Record | None:
    """One record; None when there is none, or half of one."""
    try:
        return _decoded(target.read(f"{folder}/{name}.json") or b"")
    except Damaged:
        return None


def read_all(target: Target, folder: str) -> dict[str, Record]:
    """All records of a folder by name. Those of which a killed process wrote half are left out."""
    if folder.rpartition("/")[2] not in target.folders(folder.rpartition("/")[0]):
        return {}
    with tempfile.TemporaryDirectory(dir=target.folder) as temporary:
        local = Path(temporary)
        with contextlib.suppress(Damaged):  # of one; rclone goes on with the others
            target.fetch(folder, local)
        found = {file.stem: _decoded(file.read_bytes()) for file in sorted(local.glob("*.json"))}
    return {name: record for name, record in found.items() if record is not None}


def remove(target: Target, folder: str, name: str) -> None:
    """Remove a record; one that is not there is no error."""
    target.remove(f"{folder}/{name}.json")


def _decoded(raw: bytes) -> Record | None:
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
