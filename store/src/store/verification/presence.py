"""Which ids does an index have, and which should it have? Three witnesses: the log, the records, the index. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from store.verification.findings import SHOWN_IDS
from store.verification.fold import GONE, IN_INDEX, UNKNOWN_VECTOR, Folded, State, replayed


@dataclass(slots=True)
class Tally:
    """How many, and the first few."""

    count: int = 0
    first: list[int] = field(default_factory=list)
    """Numbers by which the ids can be looked up: log rows, labels or rows of `embeddings`."""

    def add(self, key: int) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < SHOWN_IDS:
            self.first.append(key)


@dataclass(frozen=True, slots=True)
class Part:
    """Some ids of a collection, by their hashes, and what each witness says of them."""

    logged: Folded
    """As of the saved index."""
    labels: Mapping[int, int] | None
    """Label in the index; None when there is no index to be judged."""
    records: Mapping[int, int]
    """Row of `embeddings`."""
    late: Mapping[int, list[int]]
    """Rows of the log that the records do not have yet."""

    def hashes(self) -> set[int]:
        """Of all ids that any witness knows."""
        return {*self.logged.saved, *self.logged.later, *(self.labels or ()), *self.records}


@dataclass(slots=True)
class Presence:
    """Ids on which the witnesses differ, once Chroma has applied the rest of the log to index and records."""

    behind: Tally = field(default_factory=Tally)
    """In log and records, not in the index. Keys: rows of the log."""
    extra: Tally = field(default_factory=Tally)
    """In the index, in neither log nor records. Keys: labels."""
    unlogged: Tally = field(default_factory=Tally)
    """In index and records, without a vector in the log. Keys: labels."""
    lost: Tally = field(default_factory=Tally)
    """In the records, without a vector anywhere. Keys: rows of `embeddings`."""
    record_missing: Tally = field(default_factory=Tally)
    """In the log, not in the records. Keys: rows of the log."""
    record_extra: Tally = field(default_factory=Tally)
    """Deleted by the log, and still in the records. Keys: rows of `embeddings`."""

    def compare(self, part: Part) -> Iterator[tuple[int, int]]:
        """Compare the witnesses on some ids.

        Yields:
            Row of the log and label, for each vector of the index that must be the one of that row.
        """
        logged = part.logged
        for hashed in part.hashes():
            want = logged.final(hashed)
            record = _record(part, hashed)
            label = None if part.labels is None else part.labels.get(hashed)
            if part.labels is None:
                if want is None and record is not None:
                    self.lost.add(record)
                else:
                    self._compare_record(want, record)
                continue
            have = replayed(GONE if label is None else IN_INDEX, logged.later.get(hashed, ())) or GONE
            self._compare_index(want, have, label, record)
            if label is not None and have == IN_INDEX and want is not None and want > GONE:
                yield want, label

    def _compare_index(self, want: State | None, have: State, label: int | None, record: int | None) -> None:
        alive = want is not None and want != GONE
        if want is None and record is not None:
            if label is not None and have == IN_INDEX:
                self.unlogged.add(label)
            elif have == GONE:
                self.lost.add(record)
        elif alive and have == GONE and record is not None:
            self.lost.add(record) if want == UNKNOWN_VECTOR else self.behind.add(want or 0)
        elif not alive and record is None and have == IN_INDEX and label is not None:
            self.extra.add(label)
        else:
            self._compare_record(want, record)

    def _compare_record(self, want: State | None, record: int | None) -> None:
        if want is None or want == UNKNOWN_VECTOR:
            return
        if want == GONE and record is not None:
            self.record_extra.add(record)
        elif want != GONE and record is None:
            self.record_missing.add(want)


def _record(part: Part, hashed: int) -> int | None:
    """The record after the rest of the log was applied to it: its row, 0 for one that is still to come, or None."""
    record = part.records.get(hashed)
    rows = part.late.get(hashed)
    if rows is None:
        return record
    if replayed(GONE if record is None else IN_INDEX, rows) in {GONE, None}:
        return None
    return record or 0
