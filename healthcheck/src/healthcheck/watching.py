"""One tick of the guard: look, judge, decide, publish."""

from __future__ import annotations

import time
import traceback

from healthcheck.actions import Action, Phase, Restart, Scrub, SetWritable
from healthcheck.board import Writable
from healthcheck.context import Context
from healthcheck.decider import Decider
from healthcheck.judgement import Judgement, Verdict
from healthcheck.judges import Judges
from healthcheck.observation import Observation
from healthcheck.observer import Observer
from healthcheck.reloading import Reloading
from healthcheck.scrubbing import Scrubbing

_BUSY_LOG_S = 10.0


class Watch:
    """What happens in every tick, whatever the guard is busy with. Nothing here blocks."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.restart: Restart | None = None
        """What was decided and not yet done."""
        self.scrubbing = Scrubbing(context)
        self._reloading = Reloading(context) if context.settings.reload_watch else None
        self._observer = Observer(context.settings)
        self._judges = Judges(context.settings)
        self._decider = Decider(context.settings, context.notebook.notes.remembered)
        self._wall_behind_s = time.time() - time.monotonic()
        self._logged_at_s = 0.0
        self._failure = ""

    def tick(self) -> None:
        """Look, judge, decide, publish. What goes wrong in it is told, and the server goes on."""
        try:
            self._tick()
        except Exception as error:  # the state is not published then, so that the probe tells it as well
            if repr(error) != self._failure:
                self._failure = repr(error)
                self.context.log.failed("tick.failed", reason=repr(error), trace=traceback.format_exc())
        else:
            self._failure = ""

    def _tick(self) -> None:
        context = self.context
        context.board.counts.ticks += 1
        self._show_progress()
        self._mind_the_clock()
        observation = self.look()
        judgements = (self._of_the_guard(), *self._judges.judge(observation))
        context.board.show(observation, judgements)
        self._mind_the_disk(observation)
        self.scrubbing.poll()
        if self._reloading is not None:
            self._reloading.poll()
        action = self._decide(observation)
        if action is not None:
            self._act(action)
        context.board.publish()

    def remark(self, topic: str, words: str) -> None:
        """Something the guard's own judgement shall say from now on; logged once."""
        if self.context.remarks.get(topic) != words:
            self.context.remarks[topic] = words
            self.context.log.warning("remark", topic=topic, reason=words)

    def look(self) -> Observation:
        """What is there at this moment."""
        server = self.context.server
        pid = server.pid if server is not None and server.ended() is None else None
        return self._observer.observe(pid, self.context.board.phase, self.scrubbing.view())

    def let_go(self) -> None:
        """Close what the guard itself has open of a store whose server has ended."""
        if not self._observer.let_go():
            self.context.log.warning("look.hangs", reason="the guard's own look at the store does not end")

    def _decide(self, observation: Observation) -> Action | None:
        """What to do now; what the decision must remember is stored before anything is done."""
        action = self._decider.decide(observation, self.context.board.phase)
        self.context.notebook.write(remembered=self._decider.remembered)
        return action

    def postpone(self, restart: Restart) -> None:
        """It cannot be done now: something else works on the store."""
        self._decider.postpone(restart, time.time())
        self.context.notebook.write(remembered=self._decider.remembered)

    def _of_the_guard(self) -> Judgement:
        """The guard about itself: what it is busy with, and what its start could not mend."""
        context = self.context
        phase, message = context.board.phase, context.board.snapshot.message
        if phase is not Phase.SERVING:
            words = f"{phase}: {message}" if message else str(phase)
            return Judgement("guard", None, None, "", Verdict.FAILING, words)
        problems = list(context.remarks.values())
        if context.notebook.problem:
            problems.append("its notes cannot be written: after a restart it verifies more than it would have to")
        if problems:
            return Judgement("guard", None, None, "", Verdict.DEGRADED, "; ".join(problems))
        return Judgement("guard", None, None, "", Verdict.OK, "serving")

    def _act(self, action: Action) -> None:
        board = self.context.board
        match action:
            case Restart():
                self.restart = action  # one that waits for others gives way to one that is more urgent
            case SetWritable():
                writable = Writable(action.ok, "" if action.ok else action.message, action.retry_after_s)
                if writable.ok != board.snapshot.writable.ok:
                    board.did("open for writes" if action.ok else "close for writes", action.message, "done", 0.0)
                board.set_writable(writable)
            case Scrub():
                self.scrubbing.start(action.message)

    def _show_progress(self) -> None:
        """What the operation or the warm-up has come to; figures only, names stay in the log."""
        context = self.context
        board, operation = context.board, context.operation
        observation = board.snapshot.observation
        if operation is not None and operation.progress:
            done, of = operation.progress.get("done"), operation.progress.get("of")
            board.enter(board.phase, f"{operation.name}: {done} of {of}")
            if time.monotonic() - self._logged_at_s > _BUSY_LOG_S:
                self._logged_at_s = time.monotonic()
                context.log.info("progress", operation=operation.name, **operation.progress)
            return
        warming = observation.server.warming if observation is not None else None
        if board.phase in {Phase.STARTING, Phase.WARMING} and warming is not None:
            board.enter(Phase.WARMING, f"{warming.done} of {warming.of} indexes")

    def _mind_the_disk(self, observation: Observation) -> None:
        """A full disk is noted at once: the guard may not live to see the server's end."""
        notes = self.context.notebook
        if observation.server.disk_full and not notes.notes.disk_full:
            notes.write(disk_full=True)
            self.context.log.warning(
                "disk.full", reason="the server met a full disk; its indexes will be compared with the log"
            )

    def _mind_the_clock(self) -> None:
        """A clock that was set back: files change at times before the run's start, and must count as changed in it."""
        behind_s = time.time() - time.monotonic()
        back_s, self._wall_behind_s = self._wall_behind_s - behind_s, behind_s
        if back_s < 1:
            return
        since_ns = self.context.notebook.notes.run_since_ns
        self.context.log.warning("clock.set_back", seconds=round(back_s, 1))
        if since_ns is not None:
            self.context.notebook.write(run_since_ns=min(since_ns, int(1e9 * (time.time() - 1))))
