"""What the parts of the guard share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from healthcheck.board import Board
from healthcheck.loop import Loop
from healthcheck.notebook import Notebook
from healthcheck.operations import Done, Operation, finish, store_command
from healthcheck.output import Log
from healthcheck.settings import GuardSettings
from healthcheck.supervise import Server


class Refused(Exception):  # noqa: N818 (named after the state)
    """The store stays closed, and starting again would change nothing: the guard ends with the exit code."""

    def __init__(self, exit_code: int, message: str) -> None:
        self.exit_code = exit_code
        super().__init__(message)


@dataclass(slots=True)
class Context:
    """One per guard. Changed by its loop only."""

    settings: GuardSettings
    command: tuple[str, ...]
    """The server's."""
    log: Log
    loop: Loop
    board: Board
    notebook: Notebook
    lock_fd: int | None = None
    """Holds the store's writer lock; None without a store."""
    server: Server | None = None
    operation: Operation | None = None
    """What the loop waits for at the moment; its progress is published."""
    remarks: dict[str, str] = field(default_factory=dict)
    """What the last start found and could not mend: it serves, and somebody should look. Topic → words."""

    @property
    def store(self) -> Path:
        """The store's directory."""
        return Path(self.settings.store_path)

    @property
    def temporary(self) -> Path | None:
        """Where temporary files go: /tmp is memory, and small."""
        return self.store / ".cortex" / "tmp" if self.settings.has_store else None

    def look_at(self, name: str, *arguments: str, limit_s: float | None = None) -> Done:
        """Run `python -m store NAME`, which only reads, to its end."""
        return self.run(name, store_command(name, str(self.store), *arguments), limit_s)

    def work_on(self, name: str, *arguments: str, limit_s: float | None = None) -> Done:
        """Run `python -m store NAME`, which writes, to its end; the server is stopped."""
        return self.run(name, store_command(name, str(self.store), *arguments, lock_fd=self.lock_fd), limit_s)

    def run(self, name: str, command: list[str], limit_s: float | None = None) -> Done:
        """Run any command to its end, with its progress on the board."""
        self.operation = Operation(name, command, self.log, lock_fd=self.lock_fd, temporary=self.temporary)
        try:
            done = finish(self.operation, self.loop, limit_s)
        finally:
            self.operation = None
        self.log.info("store.operation", operation=name, exit_code=done.exit_code, took_s=round(done.took_s, 3))
        return done
