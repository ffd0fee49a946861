"""Lineages at the target: their records, and what killed processes left of their files."""

from __future__ import annotations

import re
import time

from backup import lineage, records
from backup.config import Config
from backup.gateway import LOG
from backup.target import Target

_UNNAMED = re.compile(r"\.ltx\.\d+\.(\d+)\.tmp$")
"""A file that Litestream is writing at the target: its own process id, and nanoseconds of the epoch."""


def begin(config: Config, target: Target, why: str) -> lineage.Lineage:
    """Begin one: first its record at the target, then its name in the store.

    Args:
        config: the configuration.
        target: as opened from it.
        why: the one before does not go on; empty when there was none.

    Raises:
        BackupError, OSError: it is not begun.
    """
    before, begun = lineage.read(config.store), lineage.new()
    record = {
        "id": begun.id,
        "begun_s": begun.begun_s,
        "stack": config.stack,
        "after": None if before is None else before.id,
        "why": why,
        "origin": lineage.origin(config.store),
        "whole_s": None,
        "package_version": config.package_version,
        "chroma_version": config.chroma_version,
    }
    records.write(target, records.LINEAGES, begun.id, record)
    lineage.write(config.store, begun)
    return begun


def note_whole(target: Target, known: str) -> None:
    """From here on the lineage can be restored.

    Raises:
        BackupError: it could not be noted.
    """
    record = records.read(target, records.LINEAGES, known) or {"id": known}
    records.write(target, records.LINEAGES, known, {**record, "whole_s": time.time()})


def remove_debris(target: Target, known: str, before_s: float) -> None:
    """Remove files that got no name, and were begun before: their makers are dead, or gave up.

    Raises:
        BackupError: they cannot be removed.
    """
    for entry in target.entries(f"{LOG}/{known}", recursive=True):
        begun = _UNNAMED.search(entry.path)
        if begun is not None and int(begun[1]) < 1e9 * before_s:
            target.remove(f"{LOG}/{known}/{entry.path}")
