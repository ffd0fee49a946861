"""Keeps the store's log going to the target: begins when the target answers, lets go when asked, measures the lag.

It runs in a thread of its own. Writes to the store go on whatever happens here.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

from healthcheck.output import Log
from store.archiving import Archiving, is_wanted_closed

import store
from backup import continuing, lineage, lineages, ltx, sizes
from backup.archive_view import ArchiveView
from backup.config import Config
from backup.errors import BackupError
from backup.gateway import LOG
from backup.readiness import waits_for
from backup.shipping import Measured, Misfit, Shipping
from backup.target import Target
from backup.throttle import Throttle

_TURN_S = 0.5
"""How often it looks whether somebody wants the database closed."""
_MEASURE_S, _FAILING_MEASURE_S = 5.0, 1.0
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
_WAIT_S = 1.0
_LOST = 2
"""Measurements in a row that fail before the target counts as lost: one may be slow."""
_WHOLE_FIRST = "ships the whole database first"


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
        self._staging = config.archive.staging_path
        self._shipping = Shipping(config, target, self._hear)
        self._throttle = Throttle()
        self._stopping = threading.Event()
        self._anew_because = ""
        self._thread = threading.Thread(target=self._run, name="archiver", daemon=True)
        self._other: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Have it ship the rest, as far as the target takes it, and end."""
        self._stopping.set()

    def await_end(self, limit_s: float) -> None:
        """Wait until it has ended."""
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
        return self._shipping.pids

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
            try:
                self._shipping.start(self.view.lineage)
                self._show(running=True, starts=self.view.starts + 1)
                self._watch(last)
            finally:
                self._shipping.stop()
                self._show(running=False, measured_lag_s=None)

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
        begun = lineages.begin(self._config, self._target, why)
        sizes.clear(self._staging)
        gaps = self.view.gaps + (known is not None)
        self._show(lineage=begun.id, transaction=0, why=_WHOLE_FIRST, gaps=gaps)
        self._log.info("archive.begins", lineage=begun.id, reason=why)
        return None

    def _watch(self, last: ltx.Header | None) -> None:
        """Until it has to end.

        Args:
            last: header which the first new file has to join; None when nothing came before.
        """
        whole, noted, proved = last is not None, threading.Event(), last is None
        if whole:
            noted.set()
        measured_s = time.monotonic()
        while not self._stopping.wait(_TURN_S):
            if is_wanted_closed(self._config.store):
                self._log.info("archive.closes", reason="the database is wanted closed")
                return
            if self._anew_because:
                raise self._broken(self._anew_because)
            if self._shipping.keep():
                self._log.warning("archive.gateway", reason="rclone ended; it was started again")
                self._clean()
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

    def _check_sizes(self) -> None:
        view = self.view
        measured = sizes.measure(self._config.store, self._staging, view.lineage, view.transaction)
        self._show(staging_bytes=measured.staging, wal_bytes=measured.wal)
        if why := sizes.passed(measured, self._config.archive, arriving=view.measured_lag_s is not None):
            raise self._broken(why)

    def _measure(self, *, whole: bool) -> bool:
        """Have everything shipped now; whether it arrived.

        Args:
            whole: whether the lineage can be restored already.

        Raises:
            _Anew: it never will.
        """
        try:
            self._arrived(self._shipping.measure(), whole=whole)
        except Misfit as misfit:
            raise self._broken(str(misfit)) from misfit
        except OSError as error:
            self._failed(str(error), whole=whole)
            return False
        return True

    def _arrived(self, measured: Measured, *, whole: bool) -> None:
        if self.view.failures >= _LOST and whole:
            self._log.info("archive.heals", after_s=round(self.view.lag_s(measured.asked_s) or 0.0, 1))
            self._clean()
        self._show(
            synced_s=measured.asked_s,
            measured_lag_s=measured.took_s if self.view.failures else measured.lag_s,
            transaction=measured.transaction,
            why="",
            failures=0,
        )

    def _failed(self, said: str, *, whole: bool) -> None:
        failures = self.view.failures + 1
        self._show(failures=failures)
        if not whole:
            self._show(measured_lag_s=None)
        elif failures >= _LOST:
            why = f"what is written now does not arrive: {self._target.explained(said)}"
            if failures == _LOST:
                self._log.warning("archive.lags", reason=why)
            self._show(measured_lag_s=None, why=why)

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

    def _broken(self, why: str) -> _Anew:
        self._show(why=why)
        return _Anew(why)

    def _show(self, **changes: object) -> None:
        self.view = dataclasses.replace(self.view, **changes)  # type: ignore[arg-type]  # names are those of fields

    def _hear(self, line: bytes, stream: str) -> None:
        if b" NOTICE: " not in line and self._throttle.passes():
            self._log.pass_on(line, "archive", stream)
