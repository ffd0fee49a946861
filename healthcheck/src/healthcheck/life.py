"""The life of the guard: start, serve, act, start again; until it is asked to stop, or starting would not help."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from dataclasses import dataclass

import store
from healthcheck.actions import Phase, Restart, RestartReason
from healthcheck.checking import UNVERIFIED
from healthcheck.context import Context, Refused
from healthcheck.ends import Check, End, check_due, end_left_behind, end_of
from healthcheck.fence import Pause, pause, with_crash
from healthcheck.loop import StopRequested
from healthcheck.maintaining import maintain
from healthcheck.processes import Exit
from healthcheck.starting import is_ready, start
from healthcheck.supervise import Server
from healthcheck.watching import Watch

PASSED_ON = frozenset({65, 75, 78})
"""Exit codes with which a server says that starting it again would change nothing: store unusable, store locked, wrong
settings."""
_HANGING = frozenset({RestartReason.WEDGED, RestartReason.SERVER_HANGS})
_HANGING_GRACE_S = 10.0
"""For a server that hangs: what it could finish, it would have finished."""
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class _Restarting:
    """A restart under way."""

    reason: str
    began_s: float
    verify_everything: bool = False


class Life:
    """Runs in the main thread."""

    def __init__(self, context: Context, watch: Watch) -> None:
        self._context = context
        self._watch = watch
        self._has_data = context.settings.has_store and (context.store / "chroma.sqlite3").exists()
        self._restarting: _Restarting | None = None
        """Until the server serves again."""
        self._lock: store.ActivityLock | None = None
        self._kills_before = 0

    def run(self) -> int:
        """Until the end; the guard's exit code."""
        try:
            self._note_last_end()
            while True:
                self._pause()
                self._start()
                self._serve()
        except StopRequested as asked:
            return self._stop(str(asked))
        except Refused as refused:
            return self._refuse(refused)
        finally:
            self._release()

    def _note_last_end(self) -> None:
        """What the notes say about the run before this guard. A run that was cut off counts as a crash."""
        notebook, settings = self._context.notebook, self._context.settings
        notes = notebook.notes
        if notebook.problem:
            self._context.log.warning("notes.unreadable", reason=notebook.problem)
        end = end_left_behind(notes.end, disk_full=notes.disk_full)
        self._context.log.info("last.end", end=str(end), reason=notes.end_message)
        if end is notes.end:
            return
        now_s = time.time()
        ran_s = now_s - (notes.started_wall_s or now_s)
        notebook.write(
            end=end,
            end_message="the guard and its server ended together, from outside",
            crashes=with_crash(notes.crashes, now_s, ran_s, settings.crashes, settings.crash_window_s),
        )

    def _pause(self) -> None:
        """Back off after a crash; keep the store closed after too many of them."""
        context = self._context
        found = self._pause_due()
        if found.seconds <= 0:
            return
        last = context.notebook.notes.end_message
        if not found.fenced:
            context.board.enter(Phase.BACKING_OFF, f"for {found.seconds:.1f} s; {last}")
            context.loop.wait(lambda: self._pause_due().seconds <= 0, every_s=_POLL_S)
            return
        reason = f"the server keeps crashing, last: {last}"
        advice = (
            f"the store stays closed for {found.seconds:.0f} s, then comes one more try; the log says why it crashed"
        )
        context.board.enter(Phase.FENCED, f"{reason}; {advice}")
        context.board.did("fence", reason, "up", 0.0)
        context.loop.wait(lambda: self._pause_due().seconds <= 0)
        context.board.did("fence", "its time is over", "lifted for one try", found.seconds)

    def _pause_due(self) -> Pause:
        return pause(self._context.notebook.notes.crashes, time.time(), self._context.settings.crash_window_s)

    def _start(self) -> None:
        """The whole sequence; the end of a restart is noted."""
        context = self._context
        self._kills_before = self._memory_kills()
        start(context, self._due())
        if self._restarting is not None:
            restarting, self._restarting = self._restarting, None
            outcome = "done" if is_ready(context) else "failed: the server did not become ready"
            context.board.did("restart", restarting.reason, outcome, time.monotonic() - restarting.began_s)

    def _due(self) -> Check | None:
        """How deep to verify before the start."""
        if not self._context.settings.has_store:
            return None
        notes = self._context.notebook.notes
        due = check_due(
            notes.end,
            notes.run_since_ns,
            has_data=self._has_data,
            now_ns=time.time_ns(),
            everything=self._restarting is not None and self._restarting.verify_everything,
        )
        self._has_data = True
        return due

    def _serve(self) -> None:
        """Serve until the server has ended, or must; afterwards there is none."""
        context = self._context
        server = context.server
        if server is None:
            return
        if server.ended() is None and not is_ready(context):
            waited_s = server.ran_s
            server.stop(context.loop, min(_HANGING_GRACE_S, context.settings.stop_grace_s))
            self._crashed(f"it was not ready after {waited_s:.0f} s")
            return
        if server.ended() is None:
            context.board.enter(Phase.SERVING)
            self._watch.tick()  # what is judged follows the phase at once
            context.loop.wait(lambda: server.ended() is not None or self._may_restart())
        ended = server.ended()
        if ended is None:
            self._stop_for_restart(server)
        elif ended.code in PASSED_ON:
            self._note_end(server)
            raise Refused(ended.code, f"the server {ended}: starting it again would not help, its log says why")
        else:
            self._crashed(f"the server {ended} after {ended.took_s:.0f} s")

    def _may_restart(self) -> bool:
        """Whether a restart was decided, and need not wait for others who work on the store."""
        restart = self._watch.restart
        if restart is None:
            return False
        if not self._context.settings.has_store or self._lock is not None:
            return True
        lock = store.ActivityLock(self._context.store, f"restart ({restart.reason})")
        try:
            self._lock = lock.__enter__()
        except store.StoreBusy as busy:
            return self._urgent(restart, busy.running.what if busy.running else "something else")
        except store.StoreError as problem:
            self._context.log.warning("activity.lock", reason=str(problem))
        return True

    def _urgent(self, restart: Restart, other: str) -> bool:
        """Whether a restart goes on although something else is being done with the store."""
        if restart.reason is RestartReason.PLANNED:
            self._watch.restart = None
            self._watch.postpone(restart)
            self._context.board.did("restart", f"{restart.reason}: {restart.message}", f"postponed: {other}", 0.0)
            return False
        if restart.reason is RestartReason.DAMAGE:
            self._watch.remark("restart", f"a restart ({restart.reason}) waits: {other} is under way")
            return False
        return True

    def _stop_for_restart(self, server: Server) -> None:
        """Stop the server as decided, do what is due meanwhile; `run` starts it again."""
        context = self._context
        restart, self._watch.restart = self._watch.restart, None
        if restart is None:
            return
        reason = f"{restart.reason}: {restart.message}"
        self._restarting = _Restarting(reason, time.monotonic(), restart.verify_everything)
        context.remarks.pop("restart", None)
        grace_s = context.settings.stop_grace_s
        if restart.reason in _HANGING:
            grace_s = min(grace_s, _HANGING_GRACE_S)
        context.board.enter(Phase.STOPPING, reason)
        self._watch.scrubbing.stop()
        server.stop(context.loop, grace_s)
        self._note_end(server)
        if restart.maintain and context.settings.has_store:
            context.board.enter(Phase.MAINTAINING)
            maintain(context)
        self._release()

    def _crashed(self, message: str) -> None:
        """Note a crash; `run` backs off."""
        context, settings = self._context, self._context.settings
        server = context.server
        self._watch.restart = None
        self._restarting = _Restarting(f"crash: {message}", time.monotonic())
        self._release()
        self._watch.scrubbing.stop()
        if server is None:
            return
        self._note_end(server, message)
        notes = context.notebook.notes
        crashes = with_crash(notes.crashes, time.time(), server.ran_s, settings.crashes, settings.crash_window_s)
        context.notebook.write(crashes=crashes)
        context.board.enter(Phase.BACKING_OFF, message)
        context.log.failed("server.crashed", reason=message, end=str(notes.end), crashes=len(crashes.times_s))

    def _note_end(self, server: Server, message: str = "") -> None:
        """Complete the mark of this run."""
        context = self._context
        ended = server.ended() or Exit(-signal.SIGKILL, server.ran_s)
        context.server = context.board.server_pid = None
        self._watch.let_go()
        end = end_of(
            asked=server.stopped_in_time,
            exit_code=ended.code,
            memory_kills=self._memory_kills() - self._kills_before,
            disk_full=context.notebook.notes.disk_full,
        )
        if end is End.CLEAN and UNVERIFIED in context.remarks:
            end = End.UNKNOWN  # nor is what came before it known
        context.board.counts.ends[str(end)] += 1
        changes: dict[str, object] = {"end": end, "end_message": message or f"the server {ended}"}
        if end is End.CLEAN:
            changes["run_since_ns"] = None
        context.notebook.write(**changes)

    def _memory_kills(self) -> int:
        return self._watch.look().memory_kills or 0

    def _stop(self, signal_name: str) -> int:
        """Somebody asked: stop the server within its grace, and end."""
        context = self._context
        context.log.info("stopping", signal=signal_name)
        context.board.enter(Phase.STOPPING, signal_name)
        self._watch.scrubbing.stop()
        server = context.server
        if server is None:
            return 0
        ended = server.stop(context.loop, context.settings.stop_grace_s)
        self._note_end(server)
        context.log.info("stopped", server=str(ended), end=str(context.notebook.notes.end))
        if ended.code in {0, -signal.SIGTERM}:
            return 0
        return ended.code if ended.code > 0 else 128 - ended.code

    def _refuse(self, refused: Refused) -> int:
        """The store stays closed: say why, and end."""
        self._context.board.enter(Phase.REFUSED, str(refused))
        self._context.log.failed("refused", reason=str(refused), exit_code=refused.exit_code)
        sys.stderr.write(f"guard: {refused}\n")
        return refused.exit_code

    def _release(self) -> None:
        if self._lock is not None:
            lock, self._lock = self._lock, None
            with contextlib.suppress(OSError):  # a full disk takes no note of the end, and does not keep the lock
                lock.__exit__(None, None, None)
