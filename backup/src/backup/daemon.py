"""`python -m backup run`: one loop that keeps the archive going, makes bases by schedule, and tells how it stands."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any

from healthcheck.endpoints import Answer, Endpoints
from healthcheck.output import Log
from store.errors import StoreError

from backup import duties, notes, state
from backup.archiver import Archiver
from backup.config import LISTEN_VARIABLE, Config, listen_address
from backup.drilling import reports
from backup.duties import Agenda, Duty, Tries
from backup.errors import BadConfig
from backup.readiness import waits_for
from backup.state import BaseView, DrillView
from backup.target import Target
from backup.work import Outcome, Work

_TURN_S = 0.5
_PUBLISH_S = 5.0
_LIVE_S = 30.0
"""A loop that has not turned for so long hangs."""
_STOP_LIMIT_S = 10.0
_ARCHIVE_FIRST_S = 60.0
"""How long the first base waits for the archive's first transaction; the archive may be unable to begin."""
_PATIENCE_S = 3_600
"""How long a base waits for another backup that somebody makes by hand."""


class Daemon:
    """Runs in the main thread, which also starts the commands: they die with it."""

    def __init__(self, config: Config, target: Target, scratch: Path, log: Log) -> None:
        """Args: target: as opened from the configuration. scratch: for the commands. log: gets everything."""
        self._config = config
        self._place = target.words
        self._scratch = scratch
        self._log = log
        self._archiver = Archiver(config, target, log)
        self._stopping = threading.Event()
        self._work: Work | None = None
        self._tries = {duty: Tries() for duty in Duty}
        self._runs: Counter[tuple[Duty, str]] = Counter()
        self._newest = notes.newest_base(config.store, self._place)
        self._check = notes.last_check(config.store, self._place)
        self._look: dict[str, Any] = {}
        self._retain = self._newest is not None
        self._renew = self._look_again = False
        self._left = self._report = self._report_begun = self._kept_report = ""
        self._look_s = self._published_s = 0.0
        self._told_archive = (False, "")
        self._began_wall_s = time.time()
        self.turned_s = time.monotonic()

    def run(self) -> int:
        """Until it is asked to stop; the exit code.

        Raises:
            BadConfig: its address cannot be bound.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        self._listen()
        self._log.info("started", target=self._place, store=str(self._config.store))
        self._archiver.start()
        while not self._stopping.wait(_TURN_S):
            self.turned_s = time.monotonic()
            self._turn()
        self._log.info("stopping")
        self._archiver.ask_to_stop()
        if self._work is not None:
            self._work.stop()
        self._archiver.await_end(_STOP_LIMIT_S)
        self._publish()
        self._log.info("stopped")
        return 0

    def _listen(self) -> None:
        host, port = listen_address()
        try:
            Endpoints((host, port), self._answer).start()
        except OSError as error:
            raise BadConfig([f"{LISTEN_VARIABLE}={host}:{port} cannot be bound ({error.strerror})"]) from error

    def _turn(self) -> None:
        now_s = time.monotonic()
        self._notice_others()
        if self._work is not None:
            if (outcome := self._work.done()) is not None:
                self._work = None
                self._ended(outcome)
        elif (duty := self._agenda().due(self._tries, time.time(), now_s)) is not None and self._may_work():
            self._begin(duty)
        told = (self._archiver.view.running, self._archiver.view.why)
        if told != self._told_archive or now_s - self._published_s >= _PUBLISH_S:
            self._told_archive = told
            self._publish()

    def _agenda(self) -> Agenda:
        wall_s = time.time()
        taken_s = None if self._newest is None else self._newest.taken_s
        checked_s = self._began_wall_s if self._check is None else self._check.ended_s
        base_wall_s = duties.next_base_wall_s(self._config.bases, taken_s, wall_s)
        check_wall_s = duties.next_check_wall_s(checked_s, wall_s)
        look_again = self._look_again or self._is_mended() or self._is_begun_anew()
        if base_wall_s is not None and taken_s is None and self._archiver.view.synced_s is None:
            # Its indexes can help the archive if it notes how far the archive was.
            base_wall_s = max(base_wall_s, self._began_wall_s + _ARCHIVE_FIRST_S)
        return Agenda(
            base_wall_s=wall_s if self._renew else base_wall_s,
            check_wall_s=wall_s if look_again else check_wall_s,
            look_s=self._look_s,
            reports=self._report != self._kept_report,
            retain=self._retain,
        )

    def _is_mended(self) -> bool:
        """Whether a base came after damage was found, and nobody has looked since."""
        check, newest = self._check, self._newest
        return check is not None and check.damaged and newest is not None and newest.taken_s > check.ended_s

    def _is_begun_anew(self) -> bool:
        """Whether another lineage came after one that lacks something, and nobody has looked since."""
        view = self._archiver.view
        return bool(self._left) and view.lineage not in {"", self._left} and view.synced_s is not None

    def _may_work(self) -> bool:
        try:
            return not waits_for(self._config.store)
        except StoreError:
            return True  # the command says what is wrong with the store

    def _begin(self, duty: Duty) -> None:
        self._report_begun = self._report
        waiting = () if duty in {Duty.LOOK, Duty.REPORTS} else ("--wait-s", str(_PATIENCE_S))
        self._log.info(f"{duty}.begins")
        self._work = Work(duty, waiting, self._log)

    def _ended(self, outcome: Outcome) -> None:
        duty = Duty(outcome.verb)
        now_s = time.monotonic()
        if outcome.problem:
            busy = outcome.error in {"Busy", "StoreBusy"}
            tries = self._tries[duty]
            self._tries[duty] = tries.postponed(now_s) if busy else tries.failed(outcome.problem, now_s)
            self._runs[duty, "postponed" if busy else "failed"] += 1
            self._log.warning(f"{duty}.{'postponed' if busy else 'failed'}", reason=outcome.problem)
            return
        self._tries[duty] = Tries()
        self._runs[duty, "done"] += 1
        self._log.info(f"{duty}.done", took_s=round(outcome.seconds, 1), **_told(outcome))
        if duty is Duty.RETAIN:
            self._retain = False
            self._look_again = bool(outcome.result["bases"]) and self._check is not None and self._check.damaged
        elif duty is Duty.REPORTS:
            self._kept_report = self._report_begun
            self._retain = True  # a base that was verified lets others go
            self._look_s = 0.0
        elif duty is Duty.LOOK:
            self._look = outcome.result
            self._look_s = duties.next_look_s(now_s)
        self._publish()

    def _notice_others(self) -> None:
        """A base, a check, a drill that was done: by a child, by somebody in this container, or beside it."""
        self._report = reports.newest_name(reports.folder())
        newest = notes.newest_base(self._config.store, self._place)
        if newest != self._newest:
            self._newest = newest
            self._renew = False
            self._tries[Duty.BASE] = Tries()
            self._retain = newest is not None
            self._look_s = 0.0
        check = notes.last_check(self._config.store, self._place)
        if check != self._check:
            # A base brings again what was damaged; what a look after it still misses, no further one brings.
            self._renew = check is not None and check.damaged and not self._is_mended()
            self._look_again, self._left = False, ""
            if check is not None and check.archive_gap:
                # Looked at again once: a target that loses pieces at once shall not make lineage after lineage.
                if self._check is None or not self._check.archive_gap:
                    self._left = self._archiver.view.lineage
                self._archiver.begin_anew(check.archive_gap)
            self._check = check

    def _publish(self) -> None:
        self._published_s = time.monotonic()
        content = state.content(self._archiver.view, self._base_view(), self._drill_view(), time.time())
        with contextlib.suppress(OSError):  # a store that is not there yet, or a full disk: the guard sees silence
            state.publish(self._config.store, content)

    def _base_view(self) -> BaseView:
        newest, schedule = self._newest, self._config.bases
        verified = [each["verified_s"] for each in self._look.get("bases", ()) if each.get("verified_s") is not None]
        since_s = self._began_wall_s if newest is None else newest.taken_s
        why = next((tries.why for tries in self._tries.values() if tries.why), "")
        return BaseView(
            id="" if newest is None else newest.id,
            taken_s=None if newest is None else newest.taken_s,
            next_s=self._agenda().base_wall_s,
            overdue_after_s=schedule.overdue_after_s(since_s),
            bytes=0 if newest is None else newest.bytes,
            verified_s=max(verified, default=None),
            failures=self._tries[Duty.BASE].failures,
            damage="" if self._check is None else "; ".join(self._check.problems),
            why=why,
        )

    def _drill_view(self) -> DrillView:
        told = self._look.get("drill") or {}
        known = {name: told[name] for name in ("ended_s", "passed", "rto_s", "rpo_s", "why") if name in told}
        last = DrillView(**known)
        since_s = self._began_wall_s if last.ended_s is None else last.ended_s
        schedule = self._config.drills
        return dataclasses.replace(
            last, next_s=schedule.next_s(time.time()), overdue_after_s=schedule.overdue_after_s(since_s)
        )

    def _answer(self, target: str) -> Answer:
        """What to say to `GET target`; called in other threads."""
        path = target.partition("?")[0]
        if path == "/healthz":
            alive = time.monotonic() - self.turned_s < _LIVE_S and self._archiver.alive
            return Answer(HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE, "ok\n" if alive else "hangs\n")
        if path == "/metrics":
            return Answer(HTTPStatus.OK, self._metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")
        return Answer(HTTPStatus.NOT_FOUND, "not found; there are /healthz and /metrics\n")

    def _metrics(self) -> str:
        from backup.metrics import Seen, render  # noqa: PLC0415 (takes memory that is only needed when somebody asks)

        bases = self._look.get("bases")
        return render(
            Seen(
                archive=self._archiver.view,
                base=self._base_view(),
                drill=self._drill_view(),
                newest=self._newest,
                check=self._check,
                bases=None if bases is None else len(bases),
                runs=self._runs,
                pids=self._archiver.pids,
                now_s=time.time(),
            )
        )

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature of handlers)
        self._stopping.set()


def run(config: Config, target: Target, scratch: Path) -> int:
    """Run until stopped; the exit code.

    Raises:
        BackupError: it cannot even begin.
    """
    return Daemon(config, target, scratch, Log(config.stack, logger="backup")).run()


def _told(outcome: Outcome) -> dict[str, object]:
    """What of a result is worth a line."""
    shown = {"id", "bytes", "added_bytes", "records", "problems"}
    found = {name: value for name, value in outcome.result.items() if name in shown}
    if outcome.verb == Duty.RETAIN:
        found |= {"removed": len(outcome.result["bases"]), "lineages": len(outcome.result["lineages"])}
    return found
