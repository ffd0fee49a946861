"""Sizing: what a corpus needs in memory, disk, open files and time. Values in, values out."""

from infra.sizing.corpus import StoredCorpus, at_horizon
from infra.sizing.sizing import ReplicaSizing, Sizing, StackSizing, Term, size, size_replica

__all__ = ["ReplicaSizing", "Sizing", "StackSizing", "StoredCorpus", "Term", "at_horizon", "size", "size_replica"]
