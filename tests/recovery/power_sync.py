"""Shows that a power cut bites: what it leaves of files and of SQLite's commits, with and without syncing. Needs root.

`python -m tests.recovery.power_sync` prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from pathlib import Path

from tests.recovery.power import Volume

_COMMITS = 200


def files(directory: Path) -> dict[str, str]:
    """Content of a synced and of an unsynced file after a cut."""
    with Volume(directory, size_mib=64) as volume:
        for name in ("synced", "unsynced"):
            with (volume.path / name).open("w") as file:
                file.write("text")
                file.flush()
                if name == "synced":
                    os.fsync(file.fileno())
        descriptor = os.open(volume.path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        volume.cut_power()
        volume.start_again()
        return {name: (volume.path / name).read_text() for name in ("synced", "unsynced")}


def commits(directory: Path, synchronous: str) -> dict[str, int]:
    """Commits of SQLite in WAL mode that were confirmed, and that are there after a cut."""
    with Volume(directory, size_mib=64) as volume:
        path = volume.path / "database"
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE numbers (number INTEGER)")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writer.execute(f"PRAGMA synchronous = {synchronous}")
        for number in range(_COMMITS):
            writer.execute("INSERT INTO numbers VALUES (?)", (number,))
        volume.cut_power()
        writer.close()
        volume.start_again()
        reader = sqlite3.connect(path)
        try:
            (there,) = reader.execute("SELECT count(*) FROM numbers").fetchone()
        finally:
            reader.close()
        return {"acknowledged": _COMMITS, "there": there}


def main() -> int:
    """Print what is left in each case."""
    found: dict[str, object] = {}
    for name in ("files", "full", "off"):
        with tempfile.TemporaryDirectory(prefix="power-") as directory:
            found[name] = files(Path(directory)) if name == "files" else commits(Path(directory), name)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
