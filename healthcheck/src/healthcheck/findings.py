"""What a verification found, as `python -m store verify --json` tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_REBUILD, _REMOVE, _UNDECIDED = "rebuild", "remove", "undecided"
_SQLITE_DAMAGED = "sqlite_damaged"


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
    fatal: tuple[str, ...]
    """Damage of SQLite itself, in words: serving would write into it."""
    unmended: int
    """What no repair mends and the server can live with: it serves, and somebody should look."""
    lines: tuple[str, ...]
    """Every finding in one line, for the log."""


def count_findings(result: Mapping[str, object]) -> Found:
    """Take them out of the result."""
    given = result.get("findings")
    rows = [row for row in given if isinstance(row, dict)] if isinstance(given, list | tuple) else []
    return Found(
        findings=len(rows),
        undecided=sum(row.get("remedy") == _UNDECIDED for row in rows),
        mendable=sum(row.get("remedy") == _REBUILD for row in rows),
        removable=sum(row.get("remedy") == _REMOVE for row in rows),
        fatal=tuple(_line(row) for row in rows if row.get("kind") == _SQLITE_DAMAGED),
        unmended=sum(
            row.get("remedy") not in {_REBUILD, _REMOVE} and row.get("kind") != _SQLITE_DAMAGED for row in rows
        ),
        lines=tuple(_line(row) for row in rows),
    )


def _line(row: Mapping[str, object]) -> str:
    name = row.get("collection_name") or row.get("segment_id") or "the store"
    return f"{row.get('kind')} in {name}: {row.get('detail')} (remedy: {row.get('remedy')})"
