"""What one API without a store needs: nothing of the corpus stays in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from infra.sizing import coefficients as c
from infra.sizing.coefficients import Process
from infra.sizing.corpus import StoredCorpus
from infra.sizing.sizing import Term, round_up, with_headroom, work_term


@dataclass(frozen=True, slots=True)
class ReplicaSizing:
    """What one API without a store needs. Bytes and seconds, as of `Sizing`."""

    process: Process
    memory_terms: tuple[Term, ...]
    memory_limit_bytes: int
    memory_reservation_bytes: int
    headroom_percent: int
    open_files: int
    startup_s: int
    stop_grace_s: int

    @property
    def memory_peak_bytes(self) -> int:
        """Predicted peak of the process, bytes."""
        return sum(term.amount_bytes for term in self.memory_terms)


def size_replica(
    corpus: StoredCorpus,
    process: Process,
    *,
    concurrent_requests: int,
    request_body_bytes: int,
    headroom_percent: int,
) -> ReplicaSizing:
    """Compute what one API without a store needs; arguments as of `size`."""
    kept = (
        Term("process", process.base_bytes, process.name),
        Term("guard", c.GUARD_BYTES, "in front of the server"),
    )
    terms = (*kept, work_term(corpus, process, request_body_bytes))
    peak_bytes = sum(term.amount_bytes for term in terms)
    return ReplicaSizing(
        process=process,
        memory_terms=terms,
        memory_limit_bytes=with_headroom(peak_bytes, headroom_percent),
        memory_reservation_bytes=round_up(sum(term.amount_bytes for term in kept), c.MIB),
        headroom_percent=headroom_percent,
        open_files=c.PROCESS_FILES + 2 * 2 * concurrent_requests,
        startup_s=c.START_BASE_S,
        stop_grace_s=c.STOP_BASE_S + math.ceil(corpus.batch_rows / c.SLOWEST_WRITE_ROWS_PER_S),
    )
