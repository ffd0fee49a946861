"""How the set-up tells what it is doing: one line per step, with outcome and time, and signs of life in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status

PLAIN_INTERVAL_S = 15.0


@dataclass(slots=True)
class Step:
    """One step under way. `doing` may be changed while it runs; `outcome` is printed at its end."""

    name: str
    doing: str = ""
    outcome: str = "ready"
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started


class Progress:
    """Prints steps to a terminal (a spinner) or a log (a plain line every 15 s)."""

    def __init__(self, console: Console | None = None, *, plain_interval_s: float = PLAIN_INTERVAL_S) -> None:
        # Standard error: standard output belongs to results that a script may read.
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.started = time.monotonic()
        self._plain_interval_s = plain_interval_s

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first step could have begun."""
        return time.monotonic() - self.started

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Shows `name` as under way, then its outcome and how long it took; a failure shows as such."""
        step = Step(name)
        try:
            with self._signs_of_life(step):
                yield step
        except BaseException:
            self.console.print(f"[red]✗[/red] {name} [dim]({seconds(step.elapsed_s)})[/dim]")
            raise
        self.console.print(f"[green]✓[/green] {name}: {step.outcome} [dim]({seconds(step.elapsed_s)})[/dim]")

    @contextmanager
    def _signs_of_life(self, step: Step) -> Iterator[None]:
        ended = threading.Event()

        def tell() -> None:
            if self.console.is_terminal:
                with Status(step.name, console=self.console) as status:
                    while not ended.wait(0.25):
                        status.update(f"{step.name}: {step.doing} [dim]{seconds(step.elapsed_s)}[/dim]")
            else:
                while not ended.wait(self._plain_interval_s):
                    self.console.print(f"  {step.name}: {step.doing} ({seconds(step.elapsed_s)})")

        teller = threading.Thread(target=tell, name="progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()


def seconds(elapsed_s: float) -> str:
    """`0.3 s` below ten seconds, `42 s` below two minutes, `3 min 07 s` above."""
    if elapsed_s < 10:
        return f"{elapsed_s:.1f} s"
    if elapsed_s < 120:
        return f"{elapsed_s:.0f} s"
    return f"{int(elapsed_s) // 60} min {int(elapsed_s) % 60:02d} s"
