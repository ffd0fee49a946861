"""The formulas: disk that backups take, by place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from infra.sizing import coefficients as c
from infra.sizing.corpus import StoredCorpus
from infra.sizing.sizing import COMPACTING, Term, disk_terms, divide_up

ARCHIVE, BASES, COPIES = "backups (archive)", "backups (bases)", "backups (snapshots)"
STAGING, SCRATCH, DRILL_SCRATCH = "staging", "scratch", "drill-scratch"


@dataclass(frozen=True, slots=True)
class BackupSizing:
    """Disk that a stack's backups take. Bytes.

    Attributes:
        target_terms: What is at the target from the first days on.
        copies: What the archive grows by until its days are full.
        lasting_terms: What lies on the store's host whatever the target is.
        passing_terms: What is there while a base is taken, or a drill runs.
        compacting_bytes: Room that the store's volume has for compaction.
        target_here: Whether the target is a volume on the store's host.
    """

    target_terms: tuple[Term, ...]
    copies: Term
    lasting_terms: tuple[Term, ...]
    passing_terms: tuple[Term, ...]
    compacting_bytes: int
    target_here: bool

    @property
    def shared_bytes(self) -> int:
        """Of what is there for a while, what fits in the room to compact: compaction looks for room first."""
        return min(self.compacting_bytes, _sum(self.passing_terms))

    @property
    def here_bytes(self) -> int:
        """What the store's host needs beside the store's volume, from the first days on."""
        lasting = _sum(self.lasting_terms) + _sum(self.passing_terms) - self.shared_bytes
        return lasting + (_sum(self.target_terms) if self.target_here else 0)

    @property
    def later_bytes(self) -> int:
        """What it needs more when the archive's days are full."""
        return self.copies.amount_bytes if self.target_here else 0


def size_backups(
    corpus: StoredCorpus,
    *,
    log_rows: int,
    archive_days: int,
    staging_bytes: int,
    drills: bool,
    target_here: bool,
) -> BackupSizing:
    """Compute what backups of a corpus take on disk.

    Args:
        corpus: What is stored at the end of the horizon.
        log_rows: Rows of the log that compaction leaves (`rows_left`).
        archive_days: Days back to which any moment can be restored.
        staging_bytes: What may wait for the target.
        drills: Whether there are any.
        target_here: Whether the target is a volume on the store's host.
    """
    terms = {term.name: term for term in disk_terms(replace(corpus, log_rows=log_rows))}
    file_bytes = terms[COMPACTING].amount_bytes
    store_bytes = _sum(tuple(terms.values())) - file_bytes
    store, file = f"store of {store_bytes / c.MB:,.1f} MB", f"log and records of {file_bytes / c.MB:,.1f} MB"
    restored = Term(DRILL_SCRATCH, 2 * store_bytes + file_bytes, f"2 x {store} + {file}, in a drill")
    # The first is in the archive's share already.
    copies = kept_days(archive_days) // snapshot_days(archive_days)
    return BackupSizing(
        target_terms=(
            Term(ARCHIVE, _percent(file_bytes, c.ARCHIVE_PERCENT), f"{c.ARCHIVE_PERCENT} % of {file}"),
            Term(BASES, _percent(store_bytes, c.BASES_PERCENT), f"{c.BASES_PERCENT} % of {store}"),
        ),
        copies=Term(COPIES, copies * file_bytes, f"up to {copies} more x {file}"),
        lasting_terms=(Term(STAGING, staging_bytes, "what may wait for the target"),),
        passing_terms=(
            Term(SCRATCH, store_bytes, f"{store}, while a base is taken"),
            *((restored,) if drills else ()),
        ),
        compacting_bytes=next(term.amount_bytes for term in disk_terms(corpus) if term.name == COMPACTING),
        target_here=target_here,
    )


def snapshot_days(archive_days: int) -> int:
    """Days from one whole copy of the log in the archive to the next."""
    return min(c.SNAPSHOT_DAYS, archive_days)


def kept_days(archive_days: int) -> int:
    """Days for which the archive keeps everything: a moment needs a whole copy before it."""
    return archive_days + snapshot_days(archive_days)


def rows_left(corpus: StoredCorpus, superseded_percent: int, rows_between: int) -> int:
    """Rows of the log that are there at most if it is compacted from time to time.

    Args:
        corpus: What is stored at the end of the horizon.
        superseded_percent: Share of the log from which it is compacted; 100 if it never is.
        rows_between: Rows that are written from one time to the next.
    """
    if superseded_percent == 100:
        return corpus.log_rows
    return min(corpus.log_rows, divide_up(corpus.vectors * 100, 100 - superseded_percent) + rows_between)


def _percent(amount_bytes: int, percent: int) -> int:
    return divide_up(amount_bytes * percent, 100)


def _sum(terms: tuple[Term, ...]) -> int:
    return sum(term.amount_bytes for term in terms)
