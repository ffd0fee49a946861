"""Was the machine's clock set while the guard watched? Schedules, ages and times in logs go by it."""

from __future__ import annotations

from healthcheck.judgement import Judgement, Verdict

JUMP_S = 60.0
"""Less is what synchronisation does, and moves no decision."""
TOLD_FOR_S = 600.0
"""Afterwards the clock counts as right again: what is wrong with it then cannot be seen from here."""


class Clock:
    """Compares the wall clock with the one that cannot be set, from look to look: a slow drift is no jump."""

    def __init__(self) -> None:
        self._ahead_s: float | None = None
        self._jump_s = 0.0
        self._jumped_at_s: float | None = None

    def judge(self, at_s: float, wall_s: float) -> Judgement:
        """Value: by how much it was set the last time.

        Args:
            at_s: of `time.monotonic`.
            wall_s: of `time.time`, at the same moment.
        """
        ahead_s = wall_s - at_s
        moved_s = 0.0 if self._ahead_s is None else ahead_s - self._ahead_s
        self._ahead_s = ahead_s
        if abs(moved_s) >= JUMP_S:
            self._jump_s, self._jumped_at_s = moved_s, at_s
        if self._jumped_at_s is None or at_s - self._jumped_at_s >= TOLD_FOR_S:
            return Judgement("clock", 0.0, JUMP_S, "s", Verdict.OK, "was not set lately")
        where = "ahead" if self._jump_s > 0 else "back"
        message = f"was set {where} while running; look at the machine's time synchronisation"
        return Judgement("clock", self._jump_s, JUMP_S, "s", Verdict.DEGRADED, message)
