"""Which archive a store is shipped to: a new one whenever its log cannot be proved to continue the old one."""

from __future__ import annotations

import datetime
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from store.lock_file import DIRECTORY

from backup.ltx import newest_transaction

_NAME, _ORIGIN = "lineage.json", "restored.json"


@dataclass(frozen=True, slots=True)
class Lineage:
    """One continuous archive of one store."""

    id: str
    """Sorts by the time of its begin."""
    begun_s: float


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an archive."""

    lineage: str
    transaction: int
    """The newest that the archiver had seen then."""


def new(now_s: float | None = None) -> Lineage:
    """A lineage that nothing was shipped to yet."""
    begun_s = time.time() if now_s is None else now_s
    moment = datetime.datetime.fromtimestamp(begun_s, datetime.UTC)
    return Lineage(f"{moment:%Y%m%dT%H%M%S}Z-{secrets.token_hex(4)}", begun_s)


def read(store: Path) -> Lineage | None:
    """The store's; None when it has none yet, or none that can be read."""
    try:
        found = json.loads((store / DIRECTORY / _NAME).read_text())
        return Lineage(str(found["id"]), float(found["begun_s"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(store: Path, lineage: Lineage) -> None:
    """Have it in the store, and on disk.

    Raises:
        OSError: it cannot be written.
    """
    file = store / DIRECTORY / _NAME
    file.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = file.with_name(file.name + ".new")
    with temporary.open("w") as out:
        out.write(json.dumps(asdict(lineage)) + "\n")
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)


def origin(store: Path) -> dict[str, object] | None:
    """From what the store was restored, as whoever did it noted in `.cortex/restored.json`; None when it was not."""
    try:
        found = json.loads((store / DIRECTORY / _ORIGIN).read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def position(store: Path, staging: Path) -> Position | None:
    """How far the log was read for the archive; None before anything was."""
    lineage = read(store)
    transaction = 0 if lineage is None else newest_transaction(staging / lineage.id)
    return None if lineage is None or not transaction else Position(lineage.id, transaction)
