"""How far an import is: bars on a terminal, a line for each step elsewhere. On standard error, as all progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Bars:
    """One bar for each piece of work, begun when it is first told of."""

    def __init__(self, console: Console, progress: Progress) -> None:
        """Args: console: for lines. progress: rich's, live as long as this is used."""
        self._console = console
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def tell(self, what: str, done: int, of: int) -> None:
        """So much of it is done.

        Args:
            what: The work.
            done: How much.
            of: How much there is; 0 when that is not known.
        """
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(escape(what), total=of or None)
            if not self._console.is_terminal:
                self._console.print(escape(what))
        self._progress.update(self._tasks[what], completed=done, total=of or None)

    def say(self, text: str) -> None:
        """A line between the bars."""
        self._console.print(escape(text))


@contextmanager
def bars(console: Console) -> Iterator[Bars]:
    """Bars on the console as long as the block lasts."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(console, progress)
