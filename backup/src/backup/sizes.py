"""What lies on this machine because of the archive: staging, and SQLite's write-ahead log."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from store.database import database_path

from backup import ltx
from backup.config import ArchiveSettings

_FREE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Sizes:
    """In bytes."""

    staging: int
    waiting: int
    """Of staging, what the target has not got yet. The whole database, with which a lineage begins, does not count, or
    a large one could never be archived."""
    wal: int
    staging_free: int
    """What is left on staging's file system."""
    staging_total: int


def measure(store: Path, staging: Path, lineage: str, transaction: int) -> Sizes:
    """Look. What is not there has no size.

    Args:
        store: the store.
        staging: of all lineages.
        lineage: the present one.
        transaction: the newest that the target has.
    """
    free = total = 0
    with contextlib.suppress(OSError):
        usage = shutil.disk_usage(staging)
        free, total = usage.free, usage.total
    wal = database_path(store)
    pieces = (each for each in ltx.local_pieces(staging / lineage) if each.level == 0)
    return Sizes(
        staging=_tree_bytes(staging),
        waiting=sum(each.bytes for each in pieces if each.first > max(1, transaction)),
        wal=_bytes(wal.with_name(f"{wal.name}-wal")),
        staging_free=free,
        staging_total=total,
    )


def passed(sizes: Sizes, limits: ArchiveSettings, *, arriving: bool) -> str:
    """Which limit is passed; empty when none is.

    Args:
        sizes: as measured.
        limits: of the configuration.
        arriving: whether the target takes everything: then what waits is on its way.
    """
    if sizes.wal > limits.wal_bytes:
        return f"SQLite's write-ahead log has {sizes.wal:,} bytes, and at most {limits.wal_bytes:,} may be"
    if arriving:
        return ""
    if sizes.waiting > limits.staging_bytes:
        return f"{sizes.waiting:,} bytes wait for the target, and at most {limits.staging_bytes:,} may"
    if sizes.staging_total and sizes.staging_free < min(limits.staging_bytes, _FREE_SHARE * sizes.staging_total):
        return f"only {sizes.staging_free:,} bytes are free where the archive waits for the target"
    return ""


def clear(staging: Path, *, but: str = "") -> None:
    """Remove every lineage's staging but one."""
    with contextlib.suppress(FileNotFoundError):
        for entry in staging.iterdir():
            if entry.name in {but, "lost+found"}:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _tree_bytes(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        total += sum(_bytes(Path(parent) / name) for name in files)
    return total
