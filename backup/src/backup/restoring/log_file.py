"""From the archive's files to SQLite's file with the log."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from backup.command import LITESTREAM, environment, run
from backup.errors import Damaged
from backup.private import write_private
from backup.restoring.shipped import Point

_LIMIT_S = 24 * 3_600.0
_NAME = "/log.sqlite3"


def make(point: Point, pieces: Path, folder: Path) -> Path:
    """Apply the files, and check the database that they make.

    Args:
        point: what they are.
        pieces: where `shipped.fetch` put them.
        folder: gets the database.

    Raises:
        Damaged: they make none, or one that SQLite finds damaged.
    """
    made = folder / "log.sqlite3"
    content = {"dbs": [{"path": _NAME, "replica": {"type": "file", "path": str(pieces)}}]}
    config = write_private(folder / "litestream.json", json.dumps(content))
    command = (LITESTREAM, "restore", "-no-expand-env", "-config", str(config), "-txid", f"{point.transaction:016x}")
    ran = run((*command, "-o", str(made), _NAME), variables=environment(), limit_s=_LIMIT_S, gently=True)
    if ran.code != 0:
        said = ran.tail.splitlines()[-1] if ran.tail else f"exit code {ran.code}"
        raise Damaged(f"lineage {point.lineage} cannot be put together: {said}")
    problem = _integrity(made)
    if problem:
        raise Damaged(f"what lineage {point.lineage} makes is damaged: {problem}")
    return made


def _integrity(file: Path) -> str:
    """What SQLite finds wrong; empty when nothing is."""
    database = sqlite3.connect(file)
    try:
        (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        database.close()
    return "" if found == "ok" else str(found)
