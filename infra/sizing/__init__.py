"""Sizing: what a corpus needs in memory, disk, open files and time. Values in, values out."""

from infra.sizing.backups import BackupSizing, kept_days, rows_left, size_backups, snapshot_days
from infra.sizing.corpus import StoredCorpus, at_horizon
from infra.sizing.replica import ReplicaSizing, size_replica
from infra.sizing.sizing import Sizing, Term, size, with_headroom
from infra.sizing.stack import StackSizing

__all__ = [
    "BackupSizing",
    "ReplicaSizing",
    "Sizing",
    "StackSizing",
    "StoredCorpus",
    "Term",
    "at_horizon",
    "kept_days",
    "rows_left",
    "size",
    "size_backups",
    "size_replica",
    "snapshot_days",
    "with_headroom",
]
