"""A guard's world for decisions: what is seen, second by second, and what was decided. Imported by the tests."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from healthcheck.actions import Action, Phase, Remembered, Restart, RestartReason
from healthcheck.decider import Decider
from healthcheck.limits import Limits
from healthcheck.observation import (
    CanaryView,
    DiskView,
    MemoryView,
    Observation,
    ScrubView,
    ServerView,
    StoreView,
)

GIB = 1 << 30
MONDAY = 1795392000.0
"""2026-11-23 00:00 UTC."""
QUIET: dict[str, Any] = {"maintenance": "never", "scrub_interval_s": 0.0}


class World:
    """Time goes on by `run`; what is seen is changed by `see`, and stays so."""

    def __init__(self, remembered: Remembered | None = None, *, wall_s: float = MONDAY, **limits: Any) -> None:
        self.limits = Limits(**{**QUIET, **limits})
        self.decider = Decider(self.limits, remembered or Remembered(), random.Random(1))  # noqa: S311 (reproducible)
        self.at_s = 1000.0
        self.wall_s = wall_s
        self.phase = Phase.SERVING
        self.seen: dict[str, Any] = {
            "server": ServerView(True, 7, True, "ok", canary=CanaryView(True, 5.0)),
            "memory": MemoryView(GIB // 2, GIB, "container"),
            "disk": DiskView(50, 100, 10, 1000),
            "store": StoreView(
                measured_at_s=0, collections=1, vectors=1000, vector_bytes=4 * 384 * 1000, log_rows=1000,
                superseded_rows=0, lag_rows=0, orphans=0, orphan_bytes=0, log_kept=True, wal_bytes=0,
            ),
        }  # fmt: skip
        self.done: list[tuple[float, Action]] = []

    def see(self, **views: Any) -> None:
        self.seen |= views

    def server(self, **changes: Any) -> None:
        self.seen["server"] = replace(self.seen["server"], **changes)

    def memory(self, percent: float, scope: str = "container") -> None:
        self.see(memory=MemoryView(int(GIB * percent / 100), GIB, scope))

    def disk(self, percent: float) -> None:
        self.see(disk=DiskView(int(percent * 10), 1000, 10, 1000))

    def scrub(self, **fields: Any) -> None:
        self.see(scrub=ScrubView(**fields))

    def run(self, seconds: float, step_s: float = 1.0) -> list[Action]:
        """What was decided during these seconds."""
        before = len(self.done)
        for _ in range(round(seconds / step_s)):
            observation = Observation(at_s=self.at_s, wall_s=self.wall_s, **self.seen)
            action = self.decider.decide(observation, self.phase)
            if action is not None:
                self.done.append((self.at_s, action))
            self.at_s += step_s
            self.wall_s += step_s
        return [action for _, action in self.done[before:]]

    def restarts(self) -> list[RestartReason]:
        return [action.reason for _, action in self.done if isinstance(action, Restart)]
