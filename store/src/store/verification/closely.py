"""One collection, every id of it: index, log and records against each other."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from store import index
from store.catalog import number
from store.progress import Progress
from store.verification import disagreement, records
from store.verification.disagreement import Comparison
from store.verification.findings import Depth, Finding, FindingKind, Remedy
from store.verification.fold import fold
from store.verification.graph import Positions, read_graph
from store.verification.logged import LoggedRows
from store.verification.presence import Part, Presence, Tally
from store.verification.structure import Structure, read_structure
from store.verification.subject import Subject

_PART_IDS = 20_000
"""Ids whose states are in memory at once."""


@dataclass(slots=True)
class _Hashed:
    """Something by the hash of an id, in 12 or 16 bytes each."""

    hashes: array[int] = field(default_factory=lambda: array("q"))
    values: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, id_: str, value: int) -> None:
        self.hashes.append(hash(id_))
        self.values.append(value)

    def part(self, number_: int, of: int) -> dict[int, int]:
        return {hashed: value for hashed, value in zip(self.hashes, self.values, strict=True) if hashed % of == number_}


@dataclass(slots=True)
class Result:
    """What came out."""

    findings: list[Finding] = field(default_factory=list)
    vectors_compared: int = 0
    deep: bool = False
    """Whether it went deeper than a glance."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    """The records as they were at one moment."""

    rows: _Hashed
    until: int
    """Last row of the log that they had."""


def verify_closely(
    subject: Subject, logged: LoggedRows, depth: Depth, progress: Progress, *, trusted: bool, has_index: bool = True
) -> Result:
    """Compare index, log and records of one collection.

    Args:
        subject: the collection.
        logged: the log; it is read on to its end.
        depth: `index` or `embeddings`.
        progress: told about ids.
        trusted: the log is right where vectors differ.
        has_index: the index was saved and is not known to be damaged.

    Raises:
        IndexTorn: the files are no index.
    """
    recorded = _recorded(subject)
    if not has_index:
        logged.extend()
        return _compare(subject, logged, depth, progress, recorded=recorded, opened=None, trusted=trusted)
    labels = _Hashed()
    structure = read_structure(subject.folder, subject.collection.dimensions, labels.add)
    subject.pace.spent(index.stamp(subject.folder).bytes - structure.header.elements * structure.header.element_bytes)
    with index.Elements(subject.folder, structure.header, spent=subject.pace.spent) as elements:
        positions = read_graph(subject, structure, elements)
        if any(positions.of(label) is None for label in labels.values):
            raise index.IndexTorn("an id has a label whose element is missing or marked as deleted")
        logged.extend()
        opened = _Opened(structure, labels, positions, elements)
        return _compare(subject, logged, depth, progress, recorded=recorded, opened=opened, trusted=trusted)


@dataclass(frozen=True, slots=True)
class _Opened:
    structure: Structure
    labels: _Hashed
    positions: Positions
    elements: index.Elements


def _compare(
    subject: Subject,
    logged: LoggedRows,
    depth: Depth,
    progress: Progress,
    *,
    recorded: _Recorded,
    opened: _Opened | None,
    trusted: bool,
) -> Result:
    rows = logged.of(subject.collection.id)
    total = max(len(rows.hashes), len(recorded.rows.hashes))
    parts = total // _PART_IDS + 1
    presence, wrong = Presence(), Tally()
    comparison = Comparison(subject, opened.elements, opened.positions) if opened else None
    saved = subject.saved_seq if opened else logged.newest
    what = f"verifying {subject.collection.label}"
    for number_ in range(parts):
        late = fold(rows.part(number_, parts), until=recorded.until, complete=subject.log_complete).later
        part = Part(
            logged=fold(rows.part(number_, parts), until=saved, complete=subject.log_complete),
            labels=opened.labels.part(number_, parts) if opened else None,
            records=recorded.rows.part(number_, parts),
            late=late,
        )
        pairs = sorted(row << 32 | label for row, label in presence.compare(part))
        if depth is Depth.EMBEDDINGS and comparison is not None:
            comparison.compare(pairs)
        if depth is Depth.EMBEDDINGS and subject.log_complete:
            said = records.spoken(rows.part(number_, parts), recorded.until)
            records.compare(subject, said, part.records, recorded.until, wrong)
        progress(what, (number_ + 1) * total // parts, total)
    unlinked = opened.positions.unlinked if opened else Tally()
    result = Result(findings=list(_findings(subject, presence, wrong, unlinked)), deep=True)
    if comparison is not None:
        result.findings += disagreement.judge(comparison, logged, trusted=trusted)
        result.vectors_compared = comparison.compared
    return result


def _recorded(subject: Subject) -> _Recorded:
    database = subject.database
    rows = _Hashed()
    database.execute("BEGIN")
    found = database.execute(
        "SELECT seq_id FROM max_seq_id WHERE segment_id = ?", (subject.collection.metadata_segment,)
    ).fetchone()
    for row, id_ in database.execute(
        "SELECT id, embedding_id FROM embeddings WHERE segment_id = ?", (subject.collection.metadata_segment,)
    ):
        rows.add(id_, row)
    database.execute("COMMIT")
    return _Recorded(rows=rows, until=number(found[0]) or 0 if found else 0)


def _findings(subject: Subject, presence: Presence, wrong: Tally, unlinked: Tally) -> Iterator[Finding]:
    """Findings, with ids looked up where they are known."""

    def by_row(tally: Tally) -> list[str]:
        return [subject.logged_id(seq_id) for seq_id in tally.first]

    def by_record(tally: Tally) -> list[str]:
        query = "SELECT embedding_id FROM embeddings WHERE id = ?"
        found = [subject.database.execute(query, (row,)).fetchone() for row in tally.first]
        return [str(row[0]) for row in found if row]

    def by_label(tally: Tally) -> list[str]:
        ids: list[str] = []
        wanted = set(tally.first)
        if wanted:
            index.read_ids(subject.folder, lambda id_, label: ids.append(id_) if label in wanted else None)
        return ids

    kind = FindingKind
    for tally, ids, kind_, remedy, words in (
        (presence.behind, by_row, kind.INDEX_BEHIND, Remedy.REBUILD, "are missing in the index"),
        (presence.extra, by_label, kind.INDEX_EXTRA, Remedy.REBUILD, "are in the index alone"),
        (unlinked, by_label, kind.INDEX_WRONG, Remedy.REBUILD, "are linked to no other, so no query finds them"),
        (presence.unlogged, by_label, kind.LOG_PURGED, Remedy.ADOPT, "have their vector in the index alone"),
        (presence.lost, by_record, kind.LOG_PURGED, Remedy.RESTORE, "have no vector, neither in log nor index"),
        (presence.record_missing, by_row, kind.RECORD_WRONG, Remedy.UNDECIDED, "are in the log alone"),
        (presence.record_extra, by_record, kind.RECORD_WRONG, Remedy.UNDECIDED, "were deleted, says the log"),
        (wrong, by_record, kind.RECORD_WRONG, Remedy.UNDECIDED, "differ from the log in document or metadata"),
    ):  # fmt: skip
        if tally.count:
            detail = f"{tally.count} of {subject.collection.label}'s records {words}"
            yield subject.finding(kind_, remedy, detail, ids(tally), tally.count)
