"""By what it is seen that an index was saved, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from store import catalog, index
from store.index.files import IDS
from store.verification.subject import Subject


@dataclass(frozen=True, slots=True)
class SavedState:
    """Differs before and after a save."""

    stamp: index.Stamp | None
    """None when a file is missing."""
    has_ids: bool
    """Whether an index was ever saved: before that the other files lie there, and Chroma makes them anew."""
    saved_seq: int | None

    @classmethod
    def of(cls, subject: Subject) -> Self:
        """As it is now."""
        row = subject.database.execute(
            "SELECT seq_id FROM max_seq_id WHERE segment_id = ?", (subject.collection.vector_segment,)
        ).fetchone()
        saved_seq = catalog.number(row[0]) if row else None
        if not subject.collection.vector_segment:
            return cls(stamp=None, has_ids=False, saved_seq=saved_seq)
        try:
            stamp = index.stamp(subject.folder)
        except index.IndexTorn:
            stamp = None
        return cls(stamp=stamp, has_ids=(subject.folder / IDS).exists(), saved_seq=saved_seq)

    def is_since(self, moment_ns: int | None, *, otherwise: bool) -> bool:
        """Whether the files were written at a moment or later; files that are not all there may have been.

        Args:
            moment_ns: wall clock, nanoseconds.
            otherwise: the answer without a moment.
        """
        if moment_ns is None:
            return otherwise
        return self.stamp is None or self.stamp.modified_ns >= moment_ns
