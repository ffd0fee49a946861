"""What is lost when everything dies at once: the store is gone, and the backup is all there is."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.backup.scene import kill_session
from tests.bench.recovery_cut import Cut, TimedJournal, cut_of
from tests.bench.recovery_stage import QUIET, READY_LIMIT_S, Setting, Stage, stage
from tests.recovery.servers import Stock
from tests.recovery.workload import Workload

WRITERS, BATCH_ROWS, FIRST_ROWS = 2, 50, 1_000
MOMENT_S = (4.0, 20.0)
"""When it dies after the writers began."""
_LOOK_S = 3.0
"""So long before that the processes are found, which slows the writers down; what they start later dies with them."""


@dataclass(frozen=True)
class Disaster:
    """One of them.

    Attributes:
        number: From 1.
        moment_s: After the writers began.
        base_s: After the writers began a base was begun: it may be complete, or not.
        idle_s: From the last acknowledgement to the kill.
        source: What the restore took.
        restore_s: How long it took.
        notes: What it could not use.
        cut: What came back.
    """

    number: int
    moment_s: float
    base_s: float
    idle_s: float
    source: str
    restore_s: float
    notes: list[str]
    cut: Cut

    def as_words(self) -> str:
        """For people."""
        cut, into_s = self.cut, self.moment_s - self.base_s
        trouble = "; ".join([*cut.found.notes, *self.notes])
        return (
            f"disaster {self.number:2} after {self.moment_s:4.1f} s, {into_s:4.1f} s after a base was begun: RPO "
            f"{cut.rpo_s:.2f} s, state {self.age_s:.2f} s old, {cut.lost_rows} of {cut.acknowledged_rows:,} rows; "
            f"{self.source} in {self.restore_s:.1f} s; wrong or missing {self.wrong_rows}"
            f"{f': {trouble[:300]}' if trouble else ''}"
        )

    @property
    def age_s(self) -> float:
        """From the newest acknowledgement that came back to the kill: more than was lost if writers waited."""
        return self.cut.rpo_s + self.idle_s

    @property
    def wrong_rows(self) -> int:
        """Rows with other content, or missing although they are older than what is lost; anything else that differs."""
        found = self.cut.found
        return found.broken + found.lost + found.wrong + found.extra


def measure(setting: Setting, rounds: int, seed: str) -> Iterator[Disaster]:
    """Let everything die so often, each time at a moment of its own."""
    source = random.Random(seed)  # noqa: S311 -- which moment, not a secret
    for number in range(1, rounds + 1):
        moment_s = source.uniform(*MOMENT_S)
        base_s = source.uniform(0.0, moment_s - _LOOK_S)
        with stage(setting, f"disaster-{number}") as staged:
            yield _disaster(staged, number, moment_s, base_s, f"{seed}/{number}")


def _disaster(staged: Stage, number: int, moment_s: float, base_s: float, seed: str) -> Disaster:
    staged.start()
    with TimedJournal(staged.folder / "journal") as journal:
        workload = Workload(staged.server.connect, journal, seed, workers=WRITERS, batch_rows=BATCH_ROWS)
        workload.start(FIRST_ROWS)
        began_s = time.monotonic()
        time.sleep(base_s)
        base = staged.begin("now")
        time.sleep(max(0.0, moment_s - _LOOK_S - base_s))
        pids = staged.victims(base)
        time.sleep(max(0.0, began_s + moment_s - time.monotonic()))
        killed_s = time.monotonic()
        staged.strike(pids)
        kill_session(base)
        workload.stop()
        staged.lose()
        back = Stock(staged.folder / "back", QUIET)
        done, restore_s = staged.command("restore", "--to", "latest", "--into", str(back.store))
        try:
            back.start()
            back.wait_ready(READY_LIMIT_S)
            client = back.connect()
            cut = cut_of(journal, client)
            client.close()
        finally:
            back.kill()
    idle_s = max(0.0, killed_s - max(each.at_s for each in journal.answered))
    return Disaster(number, moment_s, base_s, idle_s, str(done["source"]), restore_s, list(done["notes"]), cut)
