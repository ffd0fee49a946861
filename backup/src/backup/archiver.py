"""Keeps Litestream shipping the store's log: starts it when the target answers, lets go when asked, measures the lag.

It runs in a thread of its own, which also starts the processes: they die with it. Writes to the store go on whatever
happens here.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import threading
import time
from collections.abc import Callable

from healthcheck.output import Log
from store.archiving import Archiving, is_wanted_closed
from store.database import database_path

import store
from backup import continuing, lineage, lineages, litestream, ltx, sizes
from backup.archive_view import ArchiveView
from backup.command import LITESTREAM, Running, environment
from backup.config import Config
from backup.errors import BackupError
from backup.gateway import LOG, Gateway
from backup.private import write_private
from backup.readiness import waits_for
from backup.target import Target
from backup.throttle import Throttle

TURN_S = 0.5
"""How often it looks whether somebody wants the database closed."""
_MEASURE_S, _FAILING_MEASURE_S = 5.0, 1.0
_SYNC_LIMIT_S = 2
_STOP_GRACE_S = 7.0
"""After a request to stop: with a turn and a measurement within the 10 s that whoever closes the database waits."""
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
_WAIT_S = 1.0
_LOST = 2
"""Measurements in a row that fail before the target counts as lost: one may be slow."""
_STRANGE = re.compile(
    r"ltx.*(no such file|not exist|corrupt|verif|decode)|(no such file|not exist).*ltx", re.IGNORECASE
)
"""What Litestream says when the files here and those at the target do not fit together: no waiting mends that."""


class _Anew(Exception):  # noqa: N818 (named after what follows)
    """The lineage cannot go on; the message says why."""


class Archiver:
    """One archive of one store."""

    def __init__(self, config: Config, target: Target, log: Log) -> None:
        """Args: target: as opened from the configuration. log: gets what happens, and what the tools say."""
        self.view = ArchiveView()
        self._config = config
        self._target = target
        self._log = log
        self._database = database_path(config.store)
        self._staging = config.archive.staging_path
        self._control = target.folder / "litestream.sock"
        self._gateway = Gateway(target, self._hear)
        self._litestream: Running | None = None
        self._other: threading.Thread | None = None
        self._throttle = Throttle()
        self._stopping = threading.Event()
        self._anew_because = ""
        self._thread = threading.Thread(target=self._run, name="archiver", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, limit_s: float) -> None:
        """Ship the rest, as far as the target takes it, and end."""
        self._stopping.set()
        self._thread.join(limit_s)

    def begin_anew(self, why: str) -> None:
        """Have a new lineage begun: the present one was found to lack something."""
        self._anew_because = why

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def pids(self) -> dict[str, int]:
        """Ids of the running processes by name."""
        found = {"litestream": self._litestream.pid if self._litestream else None, "rclone": self._gateway.pid}
        return {name: pid for name, pid in found.items() if pid is not None}

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                self._once()
                failures = 0
            except _Anew as anew:
                self._anew_because = str(anew)
                self._log.warning("archive.breaks", reason=str(anew), lineage=self.view.lineage)
                sizes.clear(self._staging)
            except (BackupError, store.StoreError, OSError) as error:
                failures = 1 if time.monotonic() - began_s > _BACKOFF_S[-1] else failures + 1
                wait_s = _BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1]
                why = f"{self._anew_because}; {error}" if self._anew_because else str(error)
                self._show(running=False, measured_lag_s=None, why=why)
                self._log.warning("archive.stopped", reason=why, again_in_s=wait_s)
                self._stopping.wait(wait_s)
        self._show(running=False, measured_lag_s=None, why="the archiver is stopped")

    def _once(self) -> None:
        """Wait for the store, then archive until that has to end.

        Raises:
            _Anew: it goes on with a new lineage.
            BackupError, StoreError, OSError: it is to be tried again later.
        """
        if first := waits_for(self._config.store):
            self._show(running=False, measured_lag_s=None, why=first)
            self._stopping.wait(_WAIT_S)
            return
        self._target.check()
        with Archiving(self._config.store):
            self._staging.mkdir(mode=0o700, parents=True, exist_ok=True)
            last = self._continued()
            self._target.make(LOG)
            self._gateway.start()
            try:
                self._start_litestream()
                self._watch(last)
            finally:
                self._end()

    def _continued(self) -> ltx.Header | None:
        """The header after which the lineage goes on; None when a new one was begun."""
        known = lineage.read(self._config.store)
        why, self._anew_because = self._anew_because, ""
        if known is not None:
            lineages.remove_debris(self._target, known.id, time.time())
            last = None if why else continuing.last_header(self._staging / known.id)
            if last is not None and continuing.may_continue(self._config.store, last):
                sizes.clear(self._staging, but=known.id)
                self._show(lineage=known.id, why="goes on")
                self._log.info("archive.continues", lineage=known.id, transaction=last.last)
                return last
            why = why or "it is not certain that it has all that was written since it stopped"
        self._begin(why)
        return None

    def _begin(self, why: str) -> None:
        begun = lineages.begin(self._config, self._target, why)
        sizes.clear(self._staging)
        self._show(
            lineage=begun.id, transaction=0, why="ships the whole database first", gaps=self.view.gaps + bool(why)
        )
        self._log.info("archive.begins", lineage=begun.id, reason=why)

    def _start_litestream(self) -> None:
        known = self.view.lineage
        staging = self._staging / known
        content = litestream.configuration(
            self._database, staging, self._control, self._gateway.replica(known), self._config.archive
        )
        file = write_private(self._target.folder / "litestream.json", content)
        self._control.unlink(missing_ok=True)
        command = (LITESTREAM, "replicate", "-no-expand-env", "-config", str(file))
        self._litestream = Running(command, environment(), self._hear)
        self._show(starts=self.view.starts + 1, running=True)

    def _watch(self, last: ltx.Header | None) -> None:
        """Until it has to end.

        Args:
            last: header which the first new file has to join; None when nothing came before.
        """
        whole = last is not None
        noted = threading.Event()
        if whole:
            noted.set()
        proved = last is None
        measured_s = time.monotonic()
        while not self._stopping.wait(TURN_S):
            if is_wanted_closed(self._config.store):
                self._log.info("archive.closes", reason="the database is wanted closed")
                return
            if self._anew_because:
                raise self._broken(self._anew_because)
            self._check_processes()
            self._check_sizes()
            now_s = time.monotonic()
            settled = self.view.measured_lag_s is not None and not self.view.failures
            if now_s - measured_s < (_MEASURE_S if settled else _FAILING_MEASURE_S):
                continue
            measured_s = now_s
            if self._measure(whole=whole):
                whole = True
                if not noted.is_set():
                    self._aside(lambda: self._note_whole(noted))
            if not proved and last is not None:
                joined = continuing.joins(self._staging / self.view.lineage, last)
                if joined is False:
                    raise self._broken("the write-ahead log was begun anew while the archive was away")
                proved = joined is True

    def _check_processes(self) -> None:
        if self._litestream is not None and (code := self._litestream.ended()) is not None:
            raise BackupError(f"litestream ended with {code}; its last lines are in the log")
        if not self._gateway.alive():
            self._log.warning("archive.gateway", reason="rclone ended; it is started again")
            self._gateway.start()
            self._clean()

    def _check_sizes(self) -> None:
        measured = sizes.measure(self._config.store, self._staging, self.view.lineage, self.view.transaction)
        self._show(staging_bytes=measured.staging, wal_bytes=measured.wal)
        if why := sizes.passed(measured, self._config.archive, arriving=self.view.measured_lag_s is not None):
            raise self._broken(why)

    def _measure(self, *, whole: bool) -> bool:
        """Have everything shipped now; whether it arrived.

        Args:
            whole: whether the lineage can be restored already.

        Raises:
            _Anew: it never will.
        """
        asked_s = time.time()
        try:
            before = litestream.last_sync(self._control)
            synced = litestream.sync(self._control, self._database, _SYNC_LIMIT_S)
        except OSError as error:
            if _STRANGE.search(str(error)):
                raise self._broken(f"what is here does not fit what is at the target ({error})") from error
            self._failed(str(error), whole=whole)
            return False
        if self.view.failures >= _LOST and whole:
            self._log.info("archive.heals", after_s=round(self.view.lag_s(asked_s) or 0.0, 1))
            self._clean()
        lag_s = 0.0 if before is None else max(0.0, asked_s - _seconds(before))
        self._show(synced_s=asked_s, measured_lag_s=lag_s, transaction=synced.transaction, why="", failures=0)
        return True

    def _failed(self, said: str, *, whole: bool) -> None:
        failures = self.view.failures + 1
        if not whole:
            self._show(measured_lag_s=None, failures=failures)
            return
        if failures < _LOST:
            self._show(failures=failures)
            return
        why = f"what is written now does not arrive: {self._target.explained(self._gateway.trouble or said)}"
        if failures == _LOST:
            self._log.warning("archive.lags", reason=why)
        self._show(measured_lag_s=None, why=why, failures=failures)

    def _note_whole(self, noted: threading.Event) -> None:
        lineages.note_whole(self._target, self.view.lineage)
        noted.set()
        self._log.info("archive.whole", lineage=self.view.lineage)

    def _clean(self) -> None:
        """Remove what uploads left that broke off."""
        known, now_s = self.view.lineage, time.time()
        self._aside(lambda: lineages.remove_debris(self._target, known, now_s))

    def _aside(self, work: Callable[[], None]) -> None:
        """Do something at the target without keeping those waiting who want the database closed. It may fail."""

        def run() -> None:
            try:
                work()
            except BackupError as error:
                self._log.warning("archive.aside", reason=str(error))

        if self._other is None or not self._other.is_alive():
            self._other = threading.Thread(target=run, name="aside", daemon=True)
            self._other.start()

    def _end(self) -> None:
        """Have Litestream ship the rest and close the database."""
        if self._litestream is not None:
            code = self._litestream.stop(_STOP_GRACE_S)
            self._log.info("archive.closed", litestream=code)
            self._litestream = None
        self._gateway.stop()
        self._show(running=False, measured_lag_s=None)

    def _broken(self, why: str) -> _Anew:
        self._show(why=why)
        return _Anew(why)

    def _show(self, **changes: object) -> None:
        self.view = dataclasses.replace(self.view, **changes)  # type: ignore[arg-type]  # names are those of fields

    def _hear(self, line: bytes, stream: str) -> None:
        if b" NOTICE: " not in line and self._throttle.passes():
            self._log.pass_on(line, "archive", stream)


def _seconds(iso: str) -> float:
    return datetime.datetime.fromisoformat(iso).timestamp()
