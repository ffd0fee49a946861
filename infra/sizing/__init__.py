"""Sizing: what a corpus needs in memory, disk, open files and time. Values in, values out."""

from infra.sizing.backups import BackupSizing, rows_left, size_backups
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
    "rows_left",
    "size",
    "size_backups",
    "size_replica",
    "with_headroom",
]
