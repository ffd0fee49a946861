"""Sizing: what a corpus needs in memory, disk, open files and time. Values in, values out."""

from infra.sizing.corpus import StoredCorpus, at_horizon
from infra.sizing.sizing import Sizing, Term, size

__all__ = ["Sizing", "StoredCorpus", "Term", "at_horizon", "size"]
