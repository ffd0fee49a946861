"""What is being verified: one collection's index, with what is needed to judge it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from store.catalog import Collection
from store.verification.findings import SHOWN_IDS, Finding, FindingKind, Remedy
from store.verification.pacing import Pace


@dataclass(frozen=True, slots=True)
class Subject:
    """One collection with a saved index."""

    database: sqlite3.Connection
    collection: Collection
    folder: Path
    pace: Pace
    log_complete: bool
    """Nothing was ever purged from the log."""

    @property
    def saved_seq(self) -> int:
        """Last row of the log in the saved index; 0 when SQLite knows of none."""
        return self.collection.vector_seq or 0

    def finding(
        self, kind: FindingKind, remedy: Remedy, detail: str, ids: Iterable[str] = (), count: int = 0
    ) -> Finding:
        """A finding about this collection."""
        return Finding(
            kind=kind,
            remedy=remedy,
            detail=detail,
            collection_id=self.collection.id,
            collection_name=self.collection.label,
            segment_id=self.collection.vector_segment,
            ids=tuple(ids)[:SHOWN_IDS],
            count=count,
        )

    def torn(self, problem: object, *, missing: bool = False) -> Finding:
        """The finding that the files are no index."""
        kind = FindingKind.INDEX_MISSING if missing else FindingKind.INDEX_TORN
        return self.finding(kind, Remedy.REBUILD, str(problem))

    def logged_id(self, seq_id: int) -> str:
        """The id in a row of the log."""
        row = self.database.execute("SELECT id FROM embeddings_queue WHERE seq_id = ?", (seq_id,)).fetchone()
        return str(row[0]) if row else f"(row {seq_id})"
