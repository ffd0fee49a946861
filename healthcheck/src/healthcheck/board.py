"""What the guard tells: its phase, verdicts and actions, as one state that files and endpoints show."""

from __future__ import annotations

import datetime
import json
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace

from healthcheck import state_file
from healthcheck.actions import Phase
from healthcheck.judgement import Judgement, Verdict, overall
from healthcheck.observation import Observation
from healthcheck.output import Log

_ACTIONS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Writable:
    """Whether the store takes writes."""

    ok: bool = True
    reason: str = ""
    retry_after_s: int = 60

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"ok": self.ok, "reason": self.reason, "retry_after_s": self.retry_after_s}


@dataclass(frozen=True, slots=True)
class PastAction:
    """Something the guard did by itself."""

    at: str
    """ISO 8601, UTC."""
    action: str
    reason: str
    outcome: str
    took_s: float

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "at": self.at,
            "action": self.action,
            "reason": self.reason,
            "outcome": self.outcome,
            "took_s": round(self.took_s, 3),
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state at one moment. Replaced as a whole, so that other threads read it without a lock."""

    at_s: float
    phase: Phase
    message: str
    """What the phase is busy with or waits for; empty when there is nothing to say."""
    observation: Observation | None
    judgements: tuple[Judgement, ...]
    writable: Writable
    ready: bool
    ready_once: bool
    live_limit_s: float
    """Age of the loop's last turn from which on it stands still."""

    @property
    def verdict(self) -> Verdict:
        """Of everything."""
        return overall(self.judgements)


@dataclass(slots=True)
class Counts:
    """What only grows, for the metrics."""

    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(action, outcome)."""
    starts: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    ticks: int = 0


class Board:
    """The state, and where it is published. Written by the guard's loop only."""

    def __init__(self, state_path: str, tick_s: float, log: Log) -> None:
        self._path = state_path
        self._log = log
        self._problem = ""
        self._rendered: tuple[object, str] = (None, "")
        self.counts = Counts()
        self.actions: deque[PastAction] = deque(maxlen=_ACTIONS_SHOWN)
        self.server_pid: int | None = None
        self.server_since_s: float | None = None
        self.snapshot = Snapshot(
            at_s=time.monotonic(),
            phase=Phase.PREPARING,
            message="",
            observation=None,
            judgements=(),
            writable=Writable(),
            ready=False,
            ready_once=False,
            live_limit_s=state_file.max_age_s(tick_s),
        )

    @property
    def phase(self) -> Phase:
        """The present phase."""
        return self.snapshot.phase

    def enter(self, phase: Phase, message: str = "") -> None:
        """Change the phase, or what it is busy with; a change of phase is logged."""
        if phase is not self.snapshot.phase:
            self._log.info("phase", phase=str(phase), reason=message)
        elif message == self.snapshot.message:
            return
        self._change(phase=phase, message=message)
        self.publish()

    def show(self, observation: Observation, judgements: tuple[Judgement, ...]) -> None:
        """What was seen and thought in this tick."""
        self._change(observation=observation, judgements=judgements)

    def set_writable(self, writable: Writable) -> None:
        """Open or close the store for writes; readers of the state file see it at once."""
        self._change(writable=writable)
        self.publish()

    def did(self, action: str, reason: str, outcome: str, took_s: float) -> None:
        """Note an action: in the state, in the metrics, in the log.

        Args:
            action: what was done.
            reason: why, in words.
            outcome: one of few words, which the metrics have as a label; after a colon anything.
            took_s: how long.
        """
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.actions.append(PastAction(at, action, reason, outcome, took_s))
        self.counts.actions[action, outcome.partition(":")[0]] += 1
        self._log.warning("action", action=action, reason=reason, outcome=outcome, took_s=round(took_s, 3))

    def publish(self) -> None:
        """Write the state file, as of now."""
        now_s = time.monotonic()
        self.snapshot = replace(self.snapshot, at_s=now_s)
        text = f'{{"version": {state_file.VERSION}, "at_s": {now_s:.3f}, {self._rest()}'
        try:
            state_file.publish(self._path, text)
        except OSError as error:
            if not self._problem:
                self._log.failed("state.unwritable", path=self._path, reason=error.strerror or str(error))
            self._problem = str(error)
        else:
            self._problem = ""

    def _change(self, **changes: object) -> None:
        changed: Snapshot = replace(self.snapshot, **changes)  # type: ignore[arg-type]
        serving = changed.phase is Phase.SERVING and changed.observation is not None
        ready = serving and changed.observation is not None and changed.observation.server.ready
        self.snapshot = replace(changed, ready=ready, ready_once=changed.ready_once or ready)

    def _rest(self) -> str:
        """The state without its time, as JSON from its second key on; rendered again only when it has changed."""
        shown = self.snapshot
        server = {"pid": self.server_pid, "starts": self.counts.starts, "since": self.server_since_s}
        done = self.counts.actions.total()
        key = (shown.phase, shown.message, shown.judgements, shown.writable, shown.ready, server, done)
        if key != self._rendered[0]:
            state = {
                "phase": str(shown.phase),
                "phase_message": shown.message,
                "verdict": str(shown.verdict) if shown.judgements else str(Verdict.UNKNOWN),
                "live": True,
                "ready": shown.ready,
                "writable": shown.writable.as_dict(),
                "judgements": [judgement.as_dict() for judgement in shown.judgements],
                "actions": [action.as_dict() for action in self.actions],
                "server": server,
            }
            text = json.dumps(state, ensure_ascii=False)[1:] + "\n"
            self._rendered = (key, text)
        return self._rendered[1]
