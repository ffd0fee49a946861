"""What a guard says from the moment of a fault on: when it said the first thing, and everything until it is quiet."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tests.recovery.guarded import Guarded

POLL_S = 0.05
QUIET_S = 2.5
"""So long nothing may change, with the server ready, for the guard to count as done."""
_CLOSED = {"refused", "fenced"}
_SAYS_NOTHING = {"scrub: nothing found", "scrub: cut"}


@dataclass
class Seen:
    """What was said."""

    first_s: float | None = None
    """From the fault to the first word."""
    where: str = "never"
    """`start`: before it served; `running`; `scrub`: by reading everything."""
    words: list[str] = field(default_factory=list)
    """Judgements that are not well, actions, exits; each once, in order."""
    done: list[str] = field(default_factory=list)
    """What the guard did."""
    exit_code: int | None = None
    closed: bool = False
    """Whether it keeps the store closed."""


class Watch:
    """Reads the state file of one guard."""

    def __init__(self, server: Guarded, since_s: float) -> None:
        """Args: since_s: time.monotonic() of the fault; what was done before does not count."""
        self._server = server
        self._since_s = since_s
        self._old_actions = len(server.state().get("actions", []))
        self._starts = (server.state().get("server") or {}).get("starts", 1)
        self._was_ready = bool(self._old_actions or server.state().get("ready"))
        self._key: object = None
        self._quiet = False
        self._changed_s = since_s
        self.seen = Seen()

    def look(self) -> None:
        """Take in what is said now."""
        seen, state = self.seen, self._server.state()
        seen.exit_code = self._server.exit_code()
        seen.closed = state.get("phase") in _CLOSED
        if seen.exit_code is not None:
            self._say(f"exit {seen.exit_code}")
        if not state:
            return
        self._was_ready = self._was_ready or bool(state["ready"])
        for action in state["actions"][self._old_actions :]:
            self._say(_action(action), did=True)
        starts = state["server"]["starts"]
        if starts > self._starts:
            self._say("the server ended", did=False)
        for judgement in state["judgements"]:
            if self._was_ready and judgement["verdict"] in {"degraded", "failing"} and judgement["name"] != "guard":
                self._say(f"{judgement['name']} {judgement['verdict']}")
        key = (seen.exit_code, state["phase"], state["ready"], len(state["actions"]), starts, len(seen.words))
        if key != self._key:
            self._key, self._changed_s = key, time.monotonic()
        self._quiet = state["ready"] and time.monotonic() - self._changed_s > QUIET_S

    def heard(self, words: str) -> None:
        """Another guard, at its start, said something."""
        self._say(words, did=True)
        self.seen.where = "start"

    def until_seen(self, limit_s: float, awaits: str = "") -> bool:
        """Wait for the first word, and for an action that begins with `awaits`; False if they do not come."""
        seen = self.seen
        return self._until(
            lambda: seen.first_s is not None and (not awaits or any(each.startswith(awaits) for each in seen.done)),
            limit_s,
        )

    def until_quiet(self, limit_s: float) -> bool:
        """Wait until it serves and says nothing new, or keeps closed."""
        self._changed_s = time.monotonic()
        return self._until(lambda: self.seen.exit_code is not None or self.seen.closed or self._quiet, limit_s)

    def _until(self, condition: Any, limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while True:
            self.look()
            if condition():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)

    def _say(self, words: str, *, did: bool = False) -> None:
        if words in self.seen.words or words in _SAYS_NOTHING:
            return
        self.seen.words.append(words)
        if did:
            self.seen.done.append(words)
        if self.seen.first_s is None:
            self.seen.first_s = time.monotonic() - self._since_s
            self.seen.where = "scrub" if words.startswith("scrub") else "running" if self._was_ready else "start"


def _action(action: dict[str, Any]) -> str:
    """Its kind and how it ended, without figures."""
    reason = f" ({action['reason'].split(':')[0]})" if action["action"] == "restart" else ""
    return f"{action['action']}{reason}: {action['outcome'].split(':')[0]}"
