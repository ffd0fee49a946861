"""Writers at work on a server, and what they were told was done."""

from __future__ import annotations

from pathlib import Path

from tests.recovery.journal import Journal
from tests.recovery.servers import Stock, wait_until
from tests.recovery.workload import Workload

_LIMIT_S = 180.0


class Writing:
    """Two writers with changes of all kinds."""

    def __init__(self, server: Stock, folder: Path) -> None:
        self.journal = Journal(folder / "journal")
        self._workload = Workload(server.connect, self.journal, "backup", workers=2, batch_rows=50)
        self._stopped = False

    def start(self) -> None:
        """Write until stopped."""
        self._workload.start(200)

    def more(self, rows: int) -> None:
        """Wait until so many further rows are acknowledged."""
        wanted = self.journal.acknowledged_rows + rows
        wait_until(lambda: self.journal.acknowledged_rows >= wanted, f"{rows} further rows", _LIMIT_S)

    def stop(self) -> None:
        """Let each writer end its request."""
        if not self._stopped:
            self._stopped = True
            self._workload.stop()
