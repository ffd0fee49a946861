"""What the guard saw at one moment: measured values, no judgement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryView:
    """Memory in use, of the container's limit or of the host."""

    used_bytes: int
    """Without the page cache that the kernel gives back before it kills (`inactive_file`)."""
    limit_bytes: int
    scope: str
    """`container` (a control group's limit) or `host`."""


@dataclass(frozen=True, slots=True)
class DiskView:
    """The store's file system as a user who is not root sees it: root's reserve counts as used up."""

    used_bytes: int
    usable_bytes: int
    used_inodes: int
    usable_inodes: int
    """0 where the file system has no fixed number."""

    @property
    def free_bytes(self) -> int:
        """What an ordinary user can still write."""
        return max(0, self.usable_bytes - self.used_bytes)


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """File descriptors of the server, and its soft limit."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class CanaryView:
    """The last canary that ended: a row written to the store, read back, and found as its own nearest neighbour."""

    ok: bool
    age_s: float | None
    """Since it ended, whether it worked or not; since the server's start before the first."""
    error: str | None = None
    write_ms: float | None = None
    read_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Warming:
    """Indexes loaded so far after a start."""

    done: int
    of: int
    collection: str = ""


@dataclass(frozen=True, slots=True)
class ServerView:
    """The server process and its last answer."""

    running: bool
    pid: int | None = None
    answered: bool | None = None
    """Whether the last question got a usable answer; None before the first of this process."""
    status: str = ""
    """What it said: `starting`, `ok`, `stopping`, `failing`; empty without an answer."""
    problem: str = ""
    """Why there is no usable answer, in words."""
    took_ms: float | None = None
    asked_at_s: float | None = None
    """`time.monotonic()` at which the last question was put."""
    canary: CanaryView | None = None
    warming: Warming | None = None
    disk_full: bool = False
    """Whether this process has met a full disk: it said so, or its file system was seen without any room. It stays
    true until another process runs, because Chroma does not recover and its index cannot be trusted any more."""
    unloaded: int = 0
    """Indexes that could not be loaded after the start."""
    write_lock_pid: int | None = None
    """The process that was seen holding SQLite's write lock while the canary failed; 0 in another container."""

    @property
    def ready(self) -> bool:
        """Whether requests may be sent to it."""
        return self.running and self.answered is True and self.status == "ok"


@dataclass(frozen=True, slots=True)
class StoreView:
    """The store from outside, by a read-only connection; at most some minutes old."""

    measured_at_s: float
    """`time.monotonic()`."""
    collections: int
    vectors: int
    vector_bytes: int
    """Sum over the collections of live records times 4 bytes times dimensions."""
    log_rows: int
    superseded_rows: int
    """Log rows beyond one for each live record: what compaction would drop, at most (rows of metadata alone stay)."""
    lag_rows: int
    """The largest number of log rows, of any one collection, that are not in its saved index yet."""
    orphans: int
    """Index folders that belong to no collection."""
    orphan_bytes: int
    log_kept: bool
    wal_bytes: int
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ScrubView:
    """The last scrub that read the store to its end, and whether one runs now."""

    running: bool = False
    ended_wall_s: float | None = None
    findings: int = 0
    """All of them, of every kind."""
    undecided: int = 0
    """Findings where neither log nor index is provably right: an archive or a base decides."""
    mendable: int = 0
    """Broken indexes that a rebuild from the log mends, with the server stopped. Orphan folders and what interrupted
    saves left behind are not counted: they wait for the next planned restart."""
    unmended: int = 0
    """What else no repair mends: damage of SQLite itself, records that exist nowhere else, a log that is off."""
    took_s: float | None = None


@dataclass(frozen=True, slots=True)
class ArchiveView:
    """The continuous archive, as the archiver tells it. Times in seconds since 1970."""

    running: bool
    lineage: str
    synced_s: float | None
    """Up to when everything is at the target."""
    lag_s: float | None
    """How far the target is behind the store; None while nothing was measured."""
    why: str
    """Why it does not run, or what it is doing; empty when all is well."""


@dataclass(frozen=True, slots=True)
class BaseView:
    """The last base. Times in seconds since 1970."""

    id: str
    taken_s: float | None
    next_s: float | None
    overdue_after_s: float | None
    bytes: int
    verified_s: float | None
    """When a drill last read it back."""
    failures: int
    """Tries since the last one that worked."""
    damage: str
    """What the last check found wrong with what is at the target."""
    why: str


@dataclass(frozen=True, slots=True)
class DrillView:
    """The last drill. Times in seconds since 1970."""

    ended_s: float | None
    passed: bool | None
    rto_s: float | None
    """From the start of the restore to the first right answer."""
    rpo_s: float | None
    """Age of the newest row that was restored, at the start of the drill."""
    next_s: float | None
    overdue_after_s: float | None
    why: str


@dataclass(frozen=True, slots=True)
class BackupView:
    """What the archiver told last."""

    told_wall_s: float
    archive: ArchiveView
    base: BaseView
    drill: DrillView
    staging_bytes: int
    """What waits on this machine for the target."""
    wal_bytes: int


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything seen at one moment. What could not be measured is None, and `problems` says why."""

    at_s: float
    """`time.monotonic()`; all durations are taken from it."""
    wall_s: float
    """`time.time()`; only for the schedule and what outlives the process."""
    server: ServerView
    memory: MemoryView | None = None
    memory_kills: int | None = None
    """Processes of this control group that the kernel killed for memory, since the group was made."""
    disk: DiskView | None = None
    store_bytes: int | None = None
    """Allocated blocks of all files of the store; at most some minutes old."""
    open_files: OpenFiles | None = None
    store: StoreView | None = None
    scrub: ScrubView = ScrubView()
    backup: BackupView | None = None
    """None where there is no archiver, or none was heard of."""
    certificate_ends_wall_s: float | None = None
    """Last moment of the certificate that the server shows; None where it shows none."""
    problems: tuple[tuple[str, str], ...] = ()
    """(`memory` | `disk` | `store_bytes` | `open_files` | `store` | `certificate` | `backup`, why it could not be
    measured)."""

    def problem(self, what: str) -> str:
        """Why that could not be measured; empty when nothing is known to be wrong."""
        return next((why for name, why in self.problems if name == what), "")
