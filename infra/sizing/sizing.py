"""The formulas: memory, disk, open files, start-up and stop times of the process that holds a store."""

from __future__ import annotations

import math
from dataclasses import dataclass

from infra.sizing import coefficients as c
from infra.sizing.coefficients import Process
from infra.sizing.corpus import StoredCorpus


@dataclass(frozen=True, slots=True)
class Term:
    """One line of the arithmetic: a name, its bytes, and how they came about."""

    name: str
    amount_bytes: int
    arithmetic: str


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a corpus needs. Bytes and seconds; limits are whole MiB.

    Attributes:
        corpus: What it was computed for.
        process: The process that holds the data.
        memory_terms: What memory is used for; their sum is the predicted peak.
        memory_limit_bytes: Peak and headroom.
        memory_reservation_bytes: Memory that is in use once every index is loaded.
        headroom_percent: Share added to the peak.
        disk_terms: What the volume holds.
        disk_percent: Fill at which the volume counts as full.
        disk_bytes: Size of the volume, with the fill threshold kept free.
        open_files: File descriptors needed.
        startup_s: Until the process answers, an index rebuild from the log included.
        stop_grace_s: What it may take to end running writes.
        rule_memory_bytes: What the common rule of thumb would give, for comparison.
    """

    corpus: StoredCorpus
    process: Process
    memory_terms: tuple[Term, ...]
    memory_limit_bytes: int
    memory_reservation_bytes: int
    headroom_percent: int
    disk_terms: tuple[Term, ...]
    disk_percent: int
    disk_bytes: int
    open_files: int
    startup_s: int
    stop_grace_s: int
    rule_memory_bytes: int

    @property
    def work_bytes(self) -> int:
        """What requests need at most on top of what is stored, bytes."""
        return next(term.amount_bytes for term in self.memory_terms if term.name == WORK)

    @property
    def memory_peak_bytes(self) -> int:
        """Predicted peak of the process, bytes."""
        return sum(term.amount_bytes for term in self.memory_terms)


def size(
    corpus: StoredCorpus,
    process: Process,
    *,
    concurrent_requests: int,
    request_body_bytes: int,
    headroom_percent: int,
    disk_percent: int,
) -> Sizing:
    """Compute what a corpus needs.

    Args:
        corpus: What is stored at the end of the horizon.
        process: Which process holds it (`coefficients.SERVER` or `EMBEDDED`).
        concurrent_requests: Requests served at once, each with its connection.
        request_body_bytes: Largest request body.
        headroom_percent: Memory kept free above the peak, percent of the peak.
        disk_percent: Fill at which the health check turns red; the corpus stays below it.

    Returns:
        The sizing, with its arithmetic.
    """
    memory = memory_terms(corpus, process, request_body_bytes)
    peak_bytes = sum(term.amount_bytes for term in memory)
    disk = disk_terms(corpus)
    stored_bytes = sum(term.amount_bytes for term in disk)
    work_bytes = sum(term.amount_bytes for term in memory if term.name == WORK)
    return Sizing(
        corpus=corpus,
        process=process,
        memory_terms=memory,
        memory_limit_bytes=with_headroom(peak_bytes, headroom_percent),
        memory_reservation_bytes=round_up(peak_bytes - work_bytes, c.MIB),
        headroom_percent=headroom_percent,
        disk_terms=disk,
        disk_percent=disk_percent,
        disk_bytes=round_up(divide_up(stored_bytes * 100, disk_percent), c.GIB),
        open_files=c.PROCESS_FILES + c.COLLECTION_FILES * corpus.collections + 2 * concurrent_requests,
        startup_s=c.START_BASE_S
        + math.ceil(corpus.vectors * corpus.dimensions / (384 * c.REBUILD_VECTORS_PER_S_AT_384)),
        stop_grace_s=c.STOP_BASE_S + math.ceil(corpus.batch_rows / c.SLOWEST_WRITE_ROWS_PER_S),
        rule_memory_bytes=math.ceil(
            corpus.vectors / 1e6 / c.RULE_MILLION_VECTORS_PER_GB * corpus.dimensions / c.RULE_DIMENSIONS * 1e9
        ),
    )


INDEXES, COLLECTIONS, WORK, SCRUB = "indexes", "collections", "work", "scrub"
COMPACTING = "room to compact"


def memory_terms(corpus: StoredCorpus, process: Process, request_body_bytes: int) -> tuple[Term, ...]:
    """What the process holds at its peak: every index loaded, the largest batch being written."""
    raw = 4 * corpus.dimensions
    per_vector = raw + process.vector_overhead_bytes
    return (
        Term("process", process.base_bytes, process.name),
        Term("guard", c.GUARD_BYTES, "in front of the server"),
        Term(SCRUB, c.SCRUB_BYTES, "while everything that is stored is read"),
        Term(
            INDEXES,
            corpus.vectors * per_vector,
            f"{corpus.vectors:,} vectors x (4 x {corpus.dimensions:,} + {process.vector_overhead_bytes}) B",
        ),
        Term(
            COLLECTIONS,
            corpus.collections * c.COLLECTION_BYTES,
            f"{corpus.collections:,} x {c.COLLECTION_BYTES / c.MB:g} MB",
        ),
        work_term(corpus, process, request_body_bytes),
    )


def work_term(corpus: StoredCorpus, process: Process, request_body_bytes: int) -> Term:
    """What requests need on top: one text batch is embedded, and one batch written, at a time."""
    rows_bytes = corpus.batch_rows * 4 * corpus.dimensions
    bodies_bytes = c.BODIES_IN_FLIGHT * c.BODY_FACTOR * request_body_bytes
    writing_bytes = process.ingest_base_bytes + process.ingest_factor * rows_bytes + bodies_bytes
    if process.embedding_bytes >= writing_bytes:
        return Term(WORK, process.embedding_bytes, "embedding texts of the model's whole window; writing needs less")
    rows = f"{process.ingest_factor} x {corpus.batch_rows:,} rows x 4 x {corpus.dimensions:,} B"
    bodies = f"{c.BODIES_IN_FLIGHT} x {c.BODY_FACTOR} x body of {request_body_bytes / c.MIB:g} MiB"
    return Term(WORK, writing_bytes, f"writing: {process.ingest_base_bytes / c.MB:g} MB + {rows} + {bodies}")


def disk_terms(corpus: StoredCorpus) -> tuple[Term, ...]:
    """What the store volume holds at the end of the horizon."""
    raw = 4 * corpus.dimensions
    text = c.ROW_BYTES + c.DOCUMENT_FACTOR * corpus.document_bytes + c.METADATA_FACTOR * corpus.metadata_bytes
    log = raw + c.LOG_ROW_BYTES + corpus.document_bytes + corpus.metadata_bytes
    database_bytes = corpus.vectors * text + corpus.log_rows * log
    return (
        Term("store", c.STORE_BASE_BYTES, "empty store, WAL, temporary files"),
        Term(
            INDEXES,
            corpus.vectors * (raw + c.INDEX_OVERHEAD_BYTES),
            f"{corpus.vectors:,} x (4 x {corpus.dimensions:,} + {c.INDEX_OVERHEAD_BYTES}) B",
        ),
        Term(
            "records",
            corpus.vectors * text,
            f"{corpus.vectors:,} x ({c.ROW_BYTES} + {c.DOCUMENT_FACTOR} x {corpus.document_bytes:,}"
            f" + {c.METADATA_FACTOR} x {corpus.metadata_bytes:,}) B",
        ),
        Term("log", corpus.log_rows * log, f"{corpus.log_rows:,} rows x {log:,} B, all kept"),
        Term(COMPACTING, database_bytes, "records and log once more"),
    )


def with_headroom(peak_bytes: int, headroom_percent: int) -> int:
    """A memory limit above a predicted peak, whole MiB."""
    return round_up(divide_up(peak_bytes * (100 + headroom_percent), 100), c.MIB)


def round_up(amount: int, unit: int) -> int:
    """The least multiple of a unit that is not below an amount."""
    return divide_up(amount, unit) * unit


def divide_up(amount: int, by: int) -> int:
    """A quotient, rounded up."""
    return -(-amount // by)
