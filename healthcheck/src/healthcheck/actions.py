"""What the guard may do by itself, in which phase it is, and what it remembers about what it did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where the guard is in the life of its server."""

    PREPARING = "preparing"
    VERIFYING = "verifying"
    REPAIRING = "repairing"
    STARTING = "starting"
    WARMING = "warming"
    SERVING = "serving"
    STOPPING = "stopping"
    MAINTAINING = "maintaining"
    BACKING_OFF = "backing-off"
    FENCED = "fenced"
    REFUSED = "refused"


class RestartReason(StrEnum):
    """Why the server is restarted."""

    MEMORY_CEILING = "memory_ceiling"
    WEDGED = "wedged"
    """It answers, but the canary has been failing or hanging for too long."""
    SERVER_HANGS = "server_hangs"
    """It does not answer at all."""
    DISK_FULL_OVER = "disk_full_over"
    """The disk was full and has room again; Chroma stays locked up until it is restarted."""
    DAMAGE = "damage"
    """A scrub found what can be mended with the server stopped."""
    PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Restart:
    """Drain and stop the server, do what is due, start it again."""

    reason: RestartReason
    message: str
    """For the log: the figures that led to it."""

    @property
    def verify_everything(self) -> bool:
        """Whether no index may be trusted: every vector is compared with the log before the server starts."""
        return self.reason in {RestartReason.DISK_FULL_OVER, RestartReason.DAMAGE}

    @property
    def maintain(self) -> bool:
        """Whether orphans, compaction and index renewal may use the time (`plan_maintenance`)."""
        return self.reason is RestartReason.PLANNED


@dataclass(frozen=True, slots=True)
class SetWritable:
    """Tell the API, through the state file, to take or refuse writes."""

    ok: bool
    message: str
    retry_after_s: int = 60


@dataclass(frozen=True, slots=True)
class Scrub:
    """Read the whole store at a limited pace, with the server running."""

    message: str


Action = Restart | SetWritable | Scrub


@dataclass(frozen=True, slots=True)
class PastRestart:
    """A restart that the guard decided."""

    reason: RestartReason
    wall_s: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """What rate limits and the schedule must know after the container was restarted. Times are seconds of the epoch."""

    restarts: tuple[PastRestart, ...] = ()
    """Oldest first; at most a day of them is kept."""
    first_seen_wall_s: float | None = None
    """When this store was first watched."""
    scrub_started_wall_s: float | None = None
    scrub_before_wall_s: float | None = None
    """End of the last whole scrub when that one was started; still the same after it: it did not come to its end."""
    scrub_acted_wall_s: float | None = None
    """End of the scrub whose findings led to the last restart for damage."""
    window_start_wall_s: float | None = None
    """Start of the maintenance window for which a moment is drawn."""
    planned_wall_s: float | None = None
    """The moment drawn in it; None once it is used."""
    planned_done_wall_s: float | None = None
    """When the last planned restart was decided."""
