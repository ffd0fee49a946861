"""`python -m backup drilling`: one loop that begins drills when they are due."""

from __future__ import annotations

import signal
import threading
import time
from http import HTTPStatus
from pathlib import Path
from types import FrameType

from healthcheck.endpoints import Answer, Endpoints
from healthcheck.output import Log

from backup import bases
from backup.config import LISTEN_VARIABLE, Config, listen_address
from backup.drilling import reports
from backup.errors import BackupError, BadConfig
from backup.target import Target
from backup.work import Work

_TURN_S = 0.5
_FIRST_LOOK_S = 60.0
"""While there was no drill: how often it is looked whether there is a base."""
_AGAIN_S = 3_600.0
"""After a drill that could not be done, which is another thing than one that failed."""
_LIVE_S = 30.0


class Loop:
    """Runs in the main thread, which also starts the drills: they die with it."""

    def __init__(self, config: Config, target: Target, scratch: Path, log: Log) -> None:
        self._config = config
        self._target = target
        self._scratch = scratch
        self._log = log
        self._stopping = threading.Event()
        self._work: Work | None = None
        self._not_before_s = 0.0
        self._turned_s = time.monotonic()

    def run(self) -> int:
        """Until it is asked to stop; the exit code.

        Raises:
            BadConfig: its address cannot be bound.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        host, port = listen_address()
        try:
            Endpoints((host, port), self._answer).start()
        except OSError as error:
            raise BadConfig([f"{LISTEN_VARIABLE}={host}:{port} cannot be bound ({error.strerror})"]) from error
        self._log.info("started", target=self._target.words)
        while not self._stopping.wait(_TURN_S):
            self._turned_s = time.monotonic()
            self._turn()
        if self._work is not None:
            self._work.stop()
        self._log.info("stopped")
        return 0

    def _turn(self) -> None:
        now_s = time.monotonic()
        if self._work is not None:
            outcome = self._work.done()
            if outcome is None:
                return
            self._work = None
            if outcome.result:
                told = {key: outcome.result[key] for key in ("passed", "why", "rto_s", "rpo_s")}
                (self._log.info if outcome.result["passed"] else self._log.failed)("drill", **told)
            else:
                self._not_before_s = now_s + _AGAIN_S
                self._log.failed("drill", reason=outcome.problem)
        elif now_s >= self._not_before_s and self._is_due(now_s):
            self._log.info("drill.begins")
            self._work = Work("drill", (), self._log)

    def _is_due(self, now_s: float) -> bool:
        done = reports.read_all(reports.folder())
        if done:
            last_s = float(done[max(done)]["ended_s"])
            next_s = self._config.drills.next_s(min(last_s, time.time()))
            return next_s is not None and time.time() >= next_s
        # The first one follows the first base: until then nobody knows whether any of it restores.
        self._not_before_s = now_s + _FIRST_LOOK_S
        try:
            self._target.check()
            return bool(bases.repository(self._target, self._scratch).snapshots())
        except BackupError as problem:
            self._log.info("no.base.yet", reason=str(problem))
            return False

    def _answer(self, target: str) -> Answer:
        if target.partition("?")[0] != "/healthz":
            return Answer(HTTPStatus.NOT_FOUND, "not found; there is /healthz\n")
        alive = time.monotonic() - self._turned_s < _LIVE_S
        return Answer(HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE, "ok\n" if alive else "hangs\n")

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature of handlers)
        self._stopping.set()


def run(config: Config, target: Target, scratch: Path) -> int:
    """Run until stopped; the exit code.

    Raises:
        BackupError: it cannot even begin.
    """
    return Loop(config, target, scratch, Log(config.stack, logger="drill")).run()
