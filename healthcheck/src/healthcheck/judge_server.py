"""Does the server serve? Judgements of the process, of the canary, and of SQLite behind it. Pure."""

from __future__ import annotations

from healthcheck.judgement import Judgement, Verdict
from healthcheck.observation import CanaryView, ServerView
from healthcheck.units import one_line

_BLOCKED_WORDS = ("locked", "busy", "timed out", "timeout", "did not answer in time", "pool")
"""How a blocked SQLite shows in the errors of Chroma 1.5.9 and in those of the guard's own requests."""


def judge_server(server: ServerView, timeout_s: float) -> Judgement:
    """Does the process run, and does it say that it serves? Value: its answer's time."""
    verdict = Verdict.FAILING if not server.ready else Verdict.DEGRADED if server.unloaded else Verdict.OK
    return Judgement("server", server.took_ms, 1e3 * timeout_s, "ms", verdict, _server_says(server))


def _server_says(server: ServerView) -> str:
    if not server.running:
        return "the process does not run"
    if server.answered is None:
        return "starting: not asked yet"
    if not server.answered:
        return f"{one_line(server.problem)}; look at the container's log"
    warming = server.warming
    how = f"{warming.done} of {warming.of} indexes loaded" if warming else "the store is being opened"
    missing = f", but {server.unloaded} indexes could not be loaded; a scrub says why" if server.unloaded else ""
    known = {
        "ok": f"answers{missing}",
        "starting": f"starting: {how}; wait",
        "stopping": "stopping: it takes no new requests",
        "failing": "says that it is failing; the canary and the container's log say why",
    }
    return known.get(server.status) or f"answers with status {one_line(repr(server.status), 60)}, which it never has"


def judge_canary(server: ServerView, max_age_s: float) -> Judgement:
    """Was a row lately written to the store, read back unchanged, and found by a search? Value: its age."""
    canary = server.canary
    if not server.running or not server.answered or canary is None:
        why = "the server does not run" if not server.running else "the server told of none"
        return Judgement("canary", None, max_age_s, "s", Verdict.UNKNOWN, why)
    if not canary.ok:
        error = one_line(canary.error or "no reason given")
        message = f"could not write and read back: {error}; check disk and log"
        return Judgement("canary", canary.age_s, max_age_s, "s", Verdict.FAILING, message)
    if canary.age_s is None:
        return Judgement("canary", None, max_age_s, "s", Verdict.UNKNOWN, "the server told no age of it")
    times = f"write {_milliseconds(canary.write_ms)}, read {_milliseconds(canary.read_ms)}"
    if canary.age_s >= max_age_s:
        message = f"too old ({times}): the store hangs; the guard restarts the server"
        return Judgement("canary", canary.age_s, max_age_s, "s", Verdict.FAILING, message)
    return Judgement("canary", canary.age_s, max_age_s, "s", Verdict.OK, times)


def judge_sqlite(server: ServerView, max_age_s: float, timeout_s: float) -> Judgement:
    """Does SQLite take writes in time? Chroma waits 1000 s for a lock, and says nothing meanwhile.

    Args:
        server: with its canary, whose write is the measure.
        max_age_s: a canary that ended longer ago hangs in its write.
        timeout_s: a write that takes longer works, but somebody should look.
    """

    def judged(verdict: Verdict, message: str, value: float | None = None) -> Judgement:
        return Judgement("sqlite", value, 1e3 * timeout_s, "ms", verdict, message)

    canary = server.canary
    if not server.running or not server.answered or canary is None:
        return judged(Verdict.UNKNOWN, "no canary to tell by")
    holder = f"; process {server.write_lock_pid} holds the write lock" if server.write_lock_pid else ""
    if server.disk_full:
        return judged(Verdict.FAILING, "the disk was full, after which Chroma takes no writes until it is restarted")
    if is_blocked(canary, max_age_s):
        return judged(Verdict.FAILING, f"writes do not end: SQLite is locked{holder}")
    if not canary.ok:
        return judged(Verdict.UNKNOWN, "the canary failed, but not for a lock; see there")
    if canary.write_ms is not None and canary.write_ms >= 1e3 * timeout_s:
        return judged(
            Verdict.DEGRADED, f"writes are slow: the disk, or a large batch before them{holder}", canary.write_ms
        )
    return judged(Verdict.OK, "takes writes", canary.write_ms)


def is_blocked(canary: CanaryView, max_age_s: float) -> bool:
    """Whether the canary's write waits for SQLite's lock, by its error or because it does not end."""
    if canary.ok:
        return canary.age_s is not None and canary.age_s >= max_age_s
    error = (canary.error or "").lower()
    return any(words in error for words in _BLOCKED_WORDS)


def _milliseconds(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f} ms"
