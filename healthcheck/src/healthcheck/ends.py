"""How the last run of the server ended, and how deep the store is therefore verified before the next one."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

_STOPPED = frozenset({0, -signal.SIGTERM})
"""How a server ends that was asked to stop: by itself, or by the signal where it takes no notice of it."""


class End(StrEnum):
    """The mark of a run's end. It is `running` from before the server starts until it has ended."""

    NEVER = "never"
    """No server has run under a guard on this store."""
    RUNNING = "running"
    CLEAN = "clean"
    """The server ended by itself after it was asked to."""
    CRASHED = "crashed"
    KILLED_FOR_MEMORY = "killed for memory"
    DISK_FULL = "disk full"
    """The server met a full disk, however it ended then."""
    UNKNOWN = "unknown"
    """The guard ended together with its server: the container was killed, or the machine lost its power."""


class Depth(StrEnum):
    """How deep a store is verified (`python -m store verify --depth`)."""

    QUICK = "quick"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True)
class Check:
    """What is verified before a start."""

    depth: Depth
    changed_since_ns: int | None
    """Below `quick`, only indexes whose files changed since this moment of the epoch are read; None for all."""
    trust_log_since_ns: int | None
    """An index whose files changed since this moment and differs from the log is provably the one that is wrong."""
    why: str


def check_due(end: End, run_since_ns: int | None, *, has_data: bool, now_ns: int, everything: bool = False) -> Check:
    """How deep to verify.

    Args:
        end: the last run's.
        run_since_ns: start of the earliest run that did not end cleanly and was not verified afterwards, or None.
        has_data: whether the store existed before this guard came.
        now_ns: of the epoch.
        everything: a scrub found damage: nothing is trusted.
    """
    if everything and end is not End.DISK_FULL:
        return Check(Depth.EMBEDDINGS, None, run_since_ns, "a scrub found damage")
    if end is End.CLEAN or (end is End.NEVER and not has_data):
        return Check(Depth.QUICK, None, None, "the last run ended cleanly" if end is End.CLEAN else "the store is new")
    if end is End.NEVER:
        return Check(Depth.EMBEDDINGS, None, None, "no guard has run on this store yet")
    why = f"the last run's end: {end}"
    if end is End.DISK_FULL or run_since_ns is None:
        return Check(Depth.EMBEDDINGS, None, run_since_ns, why)
    if run_since_ns > now_ns:
        return Check(Depth.EMBEDDINGS, None, None, f"{why}; the clock has been set back since")
    return Check(Depth.EMBEDDINGS, run_since_ns, run_since_ns, why)


def end_left_behind(end: End, *, disk_full: bool) -> End:
    """What the mark that a guard finds at its start means: one that still says `running` was never completed."""
    if end is not End.RUNNING:
        return end
    return End.DISK_FULL if disk_full else End.UNKNOWN


def end_of(*, asked: bool, exit_code: int, memory_kills: int, disk_full: bool) -> End:
    """The mark for a run that has ended while the guard watched.

    Args:
        asked: whether the server was asked to stop, and did within its grace.
        exit_code: negative for a signal.
        memory_kills: processes that the kernel killed for memory since the server was last seen running.
        disk_full: whether the server met a full disk during its run.
    """
    if disk_full:
        return End.DISK_FULL
    if asked and exit_code in _STOPPED:
        return End.CLEAN
    return End.KILLED_FOR_MEMORY if exit_code == -signal.SIGKILL and memory_kills > 0 else End.CRASHED
