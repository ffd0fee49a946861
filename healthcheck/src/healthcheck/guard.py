"""`python -m healthcheck.guard -- COMMAND...`: process 1 of the container; starts, watches and stops the server.

Exit codes: 0 stopped; 2 wrong arguments; 65 the store is not usable; 70 the guard itself failed; 75 another process
has the store; 78 wrong settings; else the server's own, with 128 + n for signal n.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import store
from healthcheck.board import Board
from healthcheck.context import Context
from healthcheck.endpoints import Answer, Endpoints, answer
from healthcheck.files import raise_file_limit, shortage
from healthcheck.life import Life
from healthcheck.loop import Loop
from healthcheck.notebook import Notebook
from healthcheck.output import Log
from healthcheck.settings import EXIT_SETTINGS, BadSettings, GuardSettings, load_settings
from healthcheck.taking import take_lock
from healthcheck.watching import Watch

EXIT_USAGE = 2
EXIT_UNUSABLE = 65
EXIT_FAILED = 70
"""`EX_SOFTWARE` of sysexits.h."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] != ["--"] or len(given) < 2:
        sys.stderr.write("usage: python3 -m healthcheck.guard -- COMMAND...   (settings: HEALTH_*, docs/health.md)\n")
        return EXIT_USAGE
    log = Log(os.environ.get("CORTEX_STACK", ""))
    try:
        settings = load_settings(os.environ)
    except BadSettings as bad:
        return _refused(log, "the settings are wrong: " + "; ".join(bad.problems), EXIT_SETTINGS)
    if too_few := shortage(raise_file_limit(), settings.open_files):
        return _refused(log, too_few, EXIT_UNUSABLE)
    if not settings.has_store:
        return _guard(settings, tuple(given[1:]), log, None)
    try:
        with take_lock(Path(settings.store_path), log) as lock:
            return _guard(settings, tuple(given[1:]), log, lock.fileno())
    except store.StoreError as problem:
        return _refused(log, str(problem), problem.exit_code)


def _guard(settings: GuardSettings, command: tuple[str, ...], log: Log, lock_fd: int | None) -> int:
    """Everything from the lock to the end."""
    board = Board(settings.state_path, settings.tick_s, log)
    loop = Loop(settings.tick_s)
    notebook = Notebook(Path(settings.store_path) if settings.has_store else None)
    context = Context(settings, command, log, loop, board, notebook, lock_fd)
    watch = Watch(context)
    loop.listen(watch.tick)
    try:
        endpoints = Endpoints(settings.address, lambda target: _answer(context, target))
    except OSError as error:
        problem = f"HEALTH_LISTEN={settings.listen!r} cannot be bound ({error.strerror}): something else listens there"
        return _refused(log, problem, EXIT_SETTINGS)
    endpoints.start()
    try:
        return Life(context, watch).run()
    except Exception as error:  # whatever it is, the server is stopped as it should be
        log.failed("guard.failed", reason=repr(error), trace=traceback.format_exc())
        if context.server is not None:
            context.server.stop(loop, settings.stop_grace_s)
        return EXIT_FAILED


def _answer(context: Context, target: str) -> Answer:
    return answer(target, context.board.snapshot, context.loop.turned_at_s, time.monotonic(), lambda: _metrics(context))


def _metrics(context: Context) -> str:
    from healthcheck.metrics import render  # noqa: PLC0415 (prometheus_client takes memory that others can save)

    return render(context.board, context.notebook.notes, context.log.dropped)


def _refused(log: Log, problem: str, code: int) -> int:
    log.failed("refused", reason=problem, exit_code=code)
    sys.stderr.write(f"guard: {problem}\n")
    return code


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)  # threads that answer a slow client would keep the process alive
