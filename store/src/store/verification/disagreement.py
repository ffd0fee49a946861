"""Vectors that differ between index and log: which of the two is provably right?"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from store import index
from store.verification.findings import Finding, FindingKind, Remedy
from store.verification.graph import Positions
from store.verification.logged import HAS_VECTOR, LoggedRows, Rows, seq_of
from store.verification.presence import Tally
from store.verification.subject import Subject
from store.verification.vectors import Match, compare, is_broken, only_length_differs

_VECTORS = "SELECT seq_id, vector FROM embeddings_queue WHERE seq_id IN (SELECT value FROM json_each(?))"
_BATCH = 200
"""Vectors read at once."""
_EXAMINED = 20_000
"""Differing vectors that are looked at one by one; more than that are all alike."""
_FOREIGN_SAMPLE = 20


@dataclass(slots=True)
class Comparison:
    """Vectors of one index that differ from the log."""

    subject: Subject
    elements: index.Elements
    positions: Positions
    compared: int = 0
    rounded: list[tuple[int, int]] = field(default_factory=list)
    different: list[tuple[int, int]] = field(default_factory=list)
    """Row of the log and label."""
    uncounted: int = 0
    """Differing vectors beyond those that are examined."""

    def compare(self, pairs: list[int]) -> None:
        """Compare some vectors, given as row of the log << 32 | label, sorted."""
        for start in range(0, len(pairs), _BATCH):
            labels = {pair >> 32: pair & 0xFFFFFFFF for pair in pairs[start : start + _BATCH]}
            logged = self.subject.database.execute(_VECTORS, (json.dumps(list(labels)),)).fetchall()
            self.subject.pace.spent(sum(len(vector or b"") for _, vector in logged))
            for seq_id, vector in logged:
                self._compare(seq_id, labels[seq_id], vector)

    def differing(self) -> list[tuple[int, int]]:
        """Row and label of vectors that differ; where most differ in the last places alone, the machine rounds so."""
        return [*self.different, *(self.rounded if 2 * len(self.rounded) < self.compared else ())]

    def matches(self, seq_id: int, label: int) -> bool:
        """Whether the vector of a label is that of a row."""
        vector, stored, length = self._logged(seq_id), *self.stored(label)
        return bool(vector) and compare(vector, stored, length) is not Match.DIFFERENT

    def stored(self, label: int) -> tuple[bytes, float | None]:
        """The vector of a label as it is stored, and its length in space `cosine`."""
        position = self.positions.of(label) or 0
        length = self.elements.length(position) if self.subject.collection.space == "cosine" else None
        return self.elements.stored(position), length

    def proves_itself_wrong(self, seq_id: int, label: int) -> bool:
        """Whether index and log together show that the index's vector cannot be right."""
        stored, length = self.stored(label)
        if is_broken(stored, length):
            return True
        return length is not None and only_length_differs(self._logged(seq_id), stored)

    def _compare(self, seq_id: int, label: int, vector: bytes) -> None:
        self.compared += 1
        match = compare(vector, *self.stored(label))
        if match is Match.EQUAL:
            return
        if len(self.different) + len(self.rounded) >= _EXAMINED:
            self.uncounted += match is Match.DIFFERENT
        else:
            (self.rounded if match is Match.ROUNDED else self.different).append((seq_id, label))

    def _logged(self, seq_id: int) -> bytes:
        row = self.subject.database.execute(
            "SELECT vector FROM embeddings_queue WHERE seq_id = ?", (seq_id,)
        ).fetchone()
        return bytes(row[0]) if row and row[0] is not None else b""


def judge(comparison: Comparison, logged: LoggedRows, *, trusted: bool) -> Iterator[Finding]:
    """Turn differing vectors into findings.

    Args:
        comparison: with everything compared.
        logged: the rows of all collections.
        trusted: the index was written during a run that did not end cleanly, so the log is right.
    """
    subject = comparison.subject
    differing = comparison.differing()
    if not differing:
        return
    count = len(differing) + comparison.uncounted
    if reason := _proof_for_all(comparison, differing, logged, trusted=trusted):
        yield _wrong(subject, count, [seq_id for seq_id, _ in differing], reason)
        return
    earlier = _earlier_rows(logged.of(subject.collection.id), {seq_id for seq_id, _ in differing})
    reasons: dict[str, Tally] = {}
    open_ = Tally(count=comparison.uncounted)
    for seq_id, label in differing:
        if comparison.proves_itself_wrong(seq_id, label):
            reasons.setdefault("are damaged within the index", Tally()).add(seq_id)
        elif any(comparison.matches(row, label) for row in earlier.get(seq_id, ())):
            reasons.setdefault("are still those of an earlier write", Tally()).add(seq_id)
        else:
            open_.add(seq_id)
    for reason, tally in reasons.items():
        yield _wrong(subject, tally.count, tally.first, reason)
    if open_.count:
        yield subject.finding(
            FindingKind.DISAGREEMENT,
            Remedy.UNDECIDED,
            f"{open_.count} of {comparison.compared} vectors differ between index and log, and neither is provably "
            "right: compare with a backup",
            [subject.logged_id(seq_id) for seq_id in open_.first],
            open_.count,
        )


def _wrong(subject: Subject, count: int, rows: list[int], reason: str) -> Finding:
    ids = [subject.logged_id(seq_id) for seq_id in rows[:5]]
    return subject.finding(FindingKind.INDEX_WRONG, Remedy.REBUILD, f"{count} vectors {reason}", ids, count)


def _proof_for_all(
    comparison: Comparison, differing: list[tuple[int, int]], logged: LoggedRows, *, trusted: bool
) -> str:
    """Why the index is wrong as a whole; empty when that is not proven."""
    if trusted:
        return "differ from the log in an index that was written before an unclean end"
    if comparison.positions.live == 1:
        return "was updated as the only one of its index, which Chroma does not save"
    sample = differing[:: max(1, len(differing) // _FOREIGN_SAMPLE)][:_FOREIGN_SAMPLE]
    if 2 * len(differing) > comparison.compared and (other := _foreign(comparison, sample, logged)):
        return f"are those of the same ids in another collection ({other}): folders were swapped"
    return ""


def _foreign(comparison: Comparison, sample: list[tuple[int, int]], logged: LoggedRows) -> str:
    """Id of the collection whose log has all these vectors under the same ids."""
    own = comparison.subject.collection.id
    hashes = _hashes(logged.of(own), {seq_id for seq_id, _ in sample})
    wanted = {hashes[seq_id]: label for seq_id, label in sample if seq_id in hashes}
    for other in logged.collections():
        if other == own:
            continue
        found = set()
        rows = logged.of(other)
        for hashed, packed in rows.part(0, 1):
            label = wanted.get(hashed)
            if label is not None and packed & HAS_VECTOR and comparison.matches(seq_of(packed), label):
                found.add(hashed)
        if found and len(found) == len(wanted):
            return other
    return ""


def _hashes(rows: Rows, wanted: set[int]) -> dict[int, int]:
    return {seq_of(packed): hashed for hashed, packed in rows.part(0, 1) if seq_of(packed) in wanted}


def _earlier_rows(rows: Rows, wanted: set[int]) -> dict[int, array[int]]:
    """Rows with vectors of the same ids before the wanted ones, by wanted row."""
    by_hash = {hashed: seq_id for seq_id, hashed in _hashes(rows, wanted).items()}
    earlier: dict[int, array[int]] = {}
    for hashed, packed in rows.part(0, 1):
        target = by_hash.get(hashed)
        if target is not None and seq_of(packed) < target and packed & HAS_VECTOR:
            earlier.setdefault(target, array("Q")).append(seq_of(packed))
    return earlier
