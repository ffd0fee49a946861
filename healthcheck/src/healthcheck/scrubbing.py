"""The scrub: reads the whole store at a limited pace while the server runs, in a child of the lowest priority."""

from __future__ import annotations

import time
from dataclasses import replace

from healthcheck.context import Context
from healthcheck.findings import count_findings
from healthcheck.observation import ScrubView
from healthcheck.operations import Operation, store_command


class Scrubbing:
    """At most one scrub at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._operation: Operation | None = None
        self._reason = ""

    def view(self) -> ScrubView:
        """The last one that came to its end, and whether one runs."""
        return replace(self._context.notebook.notes.scrub, running=self._operation is not None)

    def start(self, reason: str) -> None:
        """Begin, unless one runs."""
        if self._operation is not None:
            return
        context, settings = self._context, self._context.settings
        pace = ("--bytes-per-s", str(settings.scrub_bytes_per_s))
        command = store_command("verify", settings.store_path, "--depth", "embeddings", *pace)
        self._reason = reason
        self._operation = Operation("verify", command, context.log, temporary=context.temporary, gently=True)
        context.log.info("scrub.started", pid=self._operation.pid, reason=reason)

    def poll(self) -> None:
        """Take the result when it has ended."""
        if self._operation is None or (done := self._operation.done()) is None:
            return
        self._operation = None
        board, notebook = self._context.board, self._context.notebook
        if done.failed:
            board.did("scrub", self._reason, f"failed: {done.problem}", done.took_s)
            return
        found = count_findings(done.result)
        notebook.write(
            scrub=ScrubView(
                ended_wall_s=time.time(),
                findings=found.findings,
                undecided=found.undecided,
                mendable=found.mendable,
                unmended=len(found.fatal) + found.unmended - found.undecided,
                took_s=done.took_s,
            )
        )
        outcome = (
            f"found: {found.findings} findings, {found.undecided} undecided" if found.findings else "nothing found"
        )
        board.did("scrub", self._reason, outcome, done.took_s)
        for line in found.lines:
            self._context.log.warning("scrub.finding", finding=line)

    def stop(self) -> None:
        """Cut a running one short: the server is about to stop, or the guard."""
        if self._operation is None:
            return
        operation, self._operation = self._operation, None
        operation.end(self._context.loop)
        self._context.board.did("scrub", self._reason, "cut", 0.0)
