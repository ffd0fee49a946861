"""`python -m healthcheck.guard -- COMMAND...`: process 1 of the container; starts, watches and stops the server."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import store
from healthcheck.actions import Phase
from healthcheck.ask import ask
from healthcheck.board import Board
from healthcheck.context import Context, Refused
from healthcheck.endpoints import Endpoints, answer
from healthcheck.judgement import Judgement, Verdict
from healthcheck.loop import Loop, StopRequested
from healthcheck.notebook import Notebook
from healthcheck.observation import Observation, ServerView
from healthcheck.output import Log
from healthcheck.settings import EXIT_SETTINGS, BadSettings, GuardSettings, load_settings
from healthcheck.starting import start
from healthcheck.thresholds import split_url


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    log = Log(os.environ.get("CORTEX_STACK", ""))
    if given[:1] != ["--"] or len(given) < 2:
        sys.stderr.write("usage: python3 -m healthcheck.guard -- COMMAND...   (settings: HEALTH_*, docs/health.md)\n")
        return 2
    try:
        settings = load_settings(os.environ)
    except BadSettings as bad:
        log.failed("settings.rejected", problems=bad.problems)
        sys.stderr.write("".join(f"guard: {problem}\n" for problem in bad.problems))
        return EXIT_SETTINGS
    try:
        if not settings.has_store:
            return _guard(settings, tuple(given[1:]), log, None)
        with store.WriterLock(Path(settings.store_path), program="the guard") as lock:
            if lock.predecessor is not None:
                log.warning("lock.stale", held_by=str(lock.predecessor), reason="it ended without giving the lock back")
            return _guard(settings, tuple(given[1:]), log, lock.fileno())
    except store.StoreError as problem:
        log.failed("refused", reason=str(problem), error=type(problem).__name__, exit_code=problem.exit_code)
        return problem.exit_code


def _guard(settings: GuardSettings, command: tuple[str, ...], log: Log, lock_fd: int | None) -> int:
    board = Board(settings.state_path, settings.tick_s, log)
    context: Context

    def tick() -> None:
        server = context.server
        view = ServerView(running=False)
        if server is not None and server.ended() is None:
            host, port, target = split_url(settings.url)
            found = ask(host, port, target, time.monotonic() + 0.5)
            view = ServerView(True, server.pid, found.status > 0, str(found.body.get("status", "")))
        board.show(
            Observation(time.monotonic(), time.time(), view),
            (Judgement("server", None, None, "", Verdict.OK if view.ready else Verdict.FAILING, view.status),),
        )
        board.publish()

    loop = Loop(settings.tick_s, tick)
    context = Context(
        settings, command, log, loop, board, Notebook(_context_path(settings) if settings.has_store else None), lock_fd
    )
    loop.listen()
    endpoints = Endpoints(
        settings.address,
        lambda target: answer(target, board.snapshot, loop.turned_at_s, time.monotonic(), lambda: ""),
    )
    endpoints.start()
    try:
        start(context)
        board.enter(Phase.SERVING)
        loop.wait(lambda: context.server is None or context.server.ended() is not None)
    except StopRequested as stop:
        log.info("stopping", signal=str(stop))
        board.enter(Phase.STOPPING)
        if context.server is not None:
            ended = context.server.stop(loop, settings.stop_grace_s)
            log.info("stopped", server=str(ended))
        return 0
    except Refused as refused:
        log.failed("refused", reason=str(refused), exit_code=refused.exit_code)
        return refused.exit_code
    return 1


def _context_path(settings: GuardSettings) -> Path:
    return Path(settings.store_path)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
