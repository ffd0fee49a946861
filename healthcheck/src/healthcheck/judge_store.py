"""Is the store as it should be? Judgements of collections, index, orphans, log and scrub. Pure."""

from __future__ import annotations

from healthcheck.judgement import Judgement, Verdict
from healthcheck.observation import ScrubView, StoreView
from healthcheck.units import human_bytes

LAG_ROWS = 10_000
"""Chroma saves an index every 1,000 records, and one request brings 5,461 at most; ten saves missed are no accident."""
ORPHAN_FOLDERS = 100
"""Each deleted collection leaves one; so many are worth more than to wait for the next planned restart."""
ORPHAN_SHARE = 0.1
"""Of the store's bytes, from which orphans are told however few they are,"""
ORPHAN_BYTES = 64 << 20
"""and at least this much."""
SCRUBS_MISSED = 2.0
"""Intervals after which a scrub is overdue."""


def judge_collections(store: StoreView, limit: int, *, crossed: bool) -> Judgement:
    """How many collections there are. Each takes 2.75 MB and 4 open files once it was used."""
    verdict = Verdict.DEGRADED if crossed else Verdict.OK
    message = f"{store.collections:,} with {store.vectors:,} vectors"
    if crossed:
        message += "; put more into one collection, or raise collections in the sizing inputs"
    return Judgement("collections", store.collections, limit, "", verdict, message)


def judge_index_lag(store: StoreView, *, crossed: bool) -> Judgement:
    """Rows of the log that are in memory only as far as the index goes; a start applies them again."""
    if crossed:
        message = "an index is not saved any more; a restart applies the rows again, see the container's log"
        return Judgement("index_lag", store.lag_rows, LAG_ROWS, "rows", Verdict.DEGRADED, message)
    message = "of one collection are not in its saved index yet"
    return Judgement("index_lag", store.lag_rows, LAG_ROWS, "rows", Verdict.OK, message)


def too_many_orphans(store: StoreView, store_bytes: int | None) -> bool:
    """Whether orphan folders are more than what deleted collections leave behind between two planned restarts."""
    if store.orphans >= ORPHAN_FOLDERS:
        return True
    large = store.orphan_bytes >= ORPHAN_BYTES
    return large and (store_bytes is None or store.orphan_bytes >= ORPHAN_SHARE * store_bytes)


def judge_orphans(store: StoreView, store_bytes: int | None) -> Judgement:
    """Index folders which belong to no collection: Chroma leaves them when a collection is deleted."""
    message = f"{store.orphans:,} folders, {human_bytes(store.orphan_bytes)}"
    if too_many_orphans(store, store_bytes):
        message += "; the next restart removes them"
        return Judgement("orphans", store.orphans, ORPHAN_FOLDERS, "", Verdict.DEGRADED, message)
    return Judgement("orphans", store.orphans, ORPHAN_FOLDERS, "", Verdict.OK, message)


def judge_log_setting(store: StoreView) -> Judgement:
    """Is the log still kept? Everything that is mended is mended from it."""
    if store.log_kept:
        message = f"kept: {store.log_rows:,} rows, {store.superseded_rows:,} of them superseded at most"
        return Judgement("log_setting", None, None, "", Verdict.OK, message)
    message = "switched off, most likely by `chroma vacuum`: vectors are leaving the log; stop writing, see the runbook"
    return Judgement("log_setting", None, None, "", Verdict.DEGRADED, message)


def judge_scrub(scrub: ScrubView, interval_s: float, watched_s: float, age_s: float | None) -> Judgement:
    """What the last scrub found, and whether it was long ago. Value: hours since it ended.

    Args:
        scrub: the last one that read the whole store.
        interval_s: from one to the next.
        watched_s: how long the guard has watched; before two intervals none can be missing.
        age_s: since the last ended; None when none has.
    """
    hours = None if age_s is None else age_s / 3600
    limit_hours = SCRUBS_MISSED * interval_s / 3600

    def judged(verdict: Verdict, message: str) -> Judgement:
        return Judgement("scrub", hours, limit_hours, "h", verdict, message)

    if scrub.unmended:
        what = "places that no repair mends"
        return judged(Verdict.DEGRADED, f"found {scrub.unmended:,} {what}; the guard's log names them; stop writing")
    if scrub.undecided:
        what = "places where log and index disagree and neither is provably right"
        return judged(Verdict.DEGRADED, f"found {scrub.undecided:,} {what}; nothing was changed, a backup decides")
    if scrub.mendable:
        return judged(
            Verdict.DEGRADED, f"found {scrub.mendable:,} broken indexes; a restart rebuilds them from the log"
        )
    if (watched_s if age_s is None else age_s) >= SCRUBS_MISSED * interval_s:
        return judged(Verdict.DEGRADED, "overdue: none came to its end lately; the guard's log says why")
    if age_s is None:
        return judged(Verdict.OK, "none has ended yet")
    took = "" if scrub.took_s is None else f" in {scrub.took_s:.0f} s"
    left = f", {scrub.findings:,} leftovers that do no harm" if scrub.findings else ""
    return judged(Verdict.OK, f"everything was read{took}, nothing is wrong{left}")
