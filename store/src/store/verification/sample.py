"""A few elements of an index against records and log: enough to see at once that a folder is another's, or stale."""

from __future__ import annotations

from dataclasses import dataclass

from store import index
from store.catalog import number
from store.verification.subject import Subject
from store.verification.vectors import Match, compare

_SAMPLE = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """Elements picked from one index."""

    positions: tuple[int, ...]
    labels: dict[int, int]
    """Position by label, of those not marked as deleted."""
    deleted: frozenset[int]
    """Labels of those marked as deleted."""


def draw(subject: Subject, header: index.Header) -> Sample:
    """Pick elements evenly, the first and the last among them.

    Raises:
        IndexTorn: the files are cut.
    """
    positions = positions_of(header.elements)
    labels: dict[int, int] = {}
    deleted = set()
    with index.Elements(subject.folder, header, spent=subject.pace.spent) as elements:
        for position in positions:
            if elements.is_deleted(position):
                deleted.add(elements.label(position))
            else:
                labels[elements.label(position)] = position
    return Sample(positions=positions, labels=labels, deleted=frozenset(deleted))


def positions_of(elements: int) -> tuple[int, ...]:
    """Which elements of so many are looked at."""
    count = min(_SAMPLE, elements)
    return tuple(sorted({step * (elements - 1) // max(count - 1, 1) for step in range(count)}))


def is_suspicious(subject: Subject, header: index.Header, sample: Sample, ids: dict[int, str]) -> bool:
    """Whether a closer look is needed: something in the sample does not fit.

    Args:
        subject: the collection.
        header: of its index.
        sample: from `draw`.
        ids: ids of the labels in the sample, the deleted ones included.
    """
    if sample.deleted & ids.keys() or set(sample.labels) - ids.keys():
        return True
    with index.Elements(subject.folder, header, spent=subject.pace.spent) as elements:
        return any(not _fits(subject, elements, position, ids[label]) for label, position in sample.labels.items())


def _fits(subject: Subject, elements: index.Elements, position: int, id_: str) -> bool:
    """Whether record and log agree with one element, as far as the last row that changed the record can tell."""
    row = subject.database.execute(
        "SELECT seq_id FROM embeddings WHERE segment_id = ? AND embedding_id = ?",
        (subject.collection.metadata_segment, id_),
    ).fetchone()
    if row is None:  # deleted since the index was saved, or never one of this collection
        return _was_deleted(subject, id_)
    changed = number(row[0]) or 0
    if changed > subject.saved_seq:
        return True
    logged = subject.database.execute("SELECT id, vector FROM embeddings_queue WHERE seq_id = ?", (changed,)).fetchone()
    if logged is None or logged[1] is None:
        return True
    length = elements.length(position) if subject.collection.space == "cosine" else None
    return logged[0] == id_ and compare(bytes(logged[1]), elements.stored(position), length) is not Match.DIFFERENT


def _was_deleted(subject: Subject, id_: str) -> bool:
    """Whether the rows after the saved index delete the id."""
    found = subject.database.execute(
        "SELECT 1 FROM embeddings_queue "
        "WHERE seq_id > ? AND id = ? AND operation = 3 AND substr(topic, -36) = ? LIMIT 1",
        (subject.saved_seq, id_, subject.collection.id),
    ).fetchone()
    return found is not None
