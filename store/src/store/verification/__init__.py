"""Is the store sound? Files, indexes, log and records against each other, at three depths; nothing is changed."""

from store.verification.findings import Depth, Finding, FindingKind, Remedy, Verification
from store.verification.run import verify

__all__ = ["Depth", "Finding", "FindingKind", "Remedy", "Verification", "verify"]
