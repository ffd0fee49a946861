"""What a verification found, as `python -m store verify --json` tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_NOT_DAMAGE = {"busy"}
"""Kinds of findings that say nothing about the store."""
_REBUILD, _REMOVE, _UNDECIDED, _RESTORE = "rebuild", "remove", "undecided", "restore"


@dataclass(frozen=True, slots=True)
class Found:
    """Counts and words."""

    findings: int
    undecided: int
    """Neither the index nor the log is provably right."""
    mendable: int
    """Broken indexes that are rebuilt from the log."""
    removable: int
    """What nobody misses: orphan folders, leftovers of an interrupted save."""
    to_restore: tuple[str, ...]
    """Damage that only a backup mends, in words."""
    lines: tuple[str, ...]
    """Every finding in one line, for the log."""


def count_findings(result: Mapping[str, object]) -> Found:
    """Take them out of the result."""
    given = result.get("findings")
    rows = [row for row in given if isinstance(row, dict)] if isinstance(given, list | tuple) else []
    counting = [row for row in rows if row.get("kind") not in _NOT_DAMAGE]
    return Found(
        findings=len(counting),
        undecided=sum(row.get("remedy") == _UNDECIDED for row in counting),
        mendable=sum(row.get("remedy") == _REBUILD for row in counting),
        removable=sum(row.get("remedy") == _REMOVE for row in counting),
        to_restore=tuple(_line(row) for row in counting if row.get("remedy") == _RESTORE),
        lines=tuple(_line(row) for row in rows),
    )


def _line(row: Mapping[str, object]) -> str:
    name = row.get("collection_name") or row.get("segment_id") or "the store"
    return f"{row.get('kind')} in {name}: {row.get('detail')} (remedy: {row.get('remedy')})"
