"""From a folder to a server that serves: room, schema, preparation, verification, repair, start, warm-up."""

from __future__ import annotations

from pathlib import Path

from healthcheck.actions import Phase
from healthcheck.context import Context, Refused
from healthcheck.ends import End
from healthcheck.supervise import Server

EXIT_UNUSABLE = 65
_POLL_S = 0.1
"""While the server starts: what it says about its warm-up is looked at this often."""
_SCHEMA_LIMIT_S = 120.0
_PREPARE_LIMIT_S = 1800.0


def start(context: Context) -> None:
    """Run the whole sequence; `context.server` then serves, or has ended.

    Raises:
        Refused: the store stays closed.
        StopRequested: the guard was asked to stop.
    """
    if context.settings.has_store:
        _prepare(context)
    _start_server(context)


def _prepare(context: Context) -> None:
    context.board.enter(Phase.PREPARING)
    _empty(context.temporary)
    if not (context.store / "chroma.sqlite3").exists():
        _make_schema(context)
    done = context.operate("prepare", limit_s=_PREPARE_LIMIT_S)
    if done.failed:
        raise Refused(done.exit_code if done.exit_code in {65, 75} else EXIT_UNUSABLE, done.problem)
    if changed := done.result.get("changed"):
        context.log.info("store.prepared", changed=changed)


def _empty(folder: Path | None) -> None:
    """Make the folder for temporary files; what a killed process left there goes."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.is_file():
            left.unlink(missing_ok=True)


def _make_schema(context: Context) -> None:
    command = context.settings.schema_command
    done = context.run("schema", [*command, str(context.store)], _SCHEMA_LIMIT_S)
    if done.exit_code != 0:
        raise Refused(EXIT_UNUSABLE, f"the tables could not be made in {context.store}: {done.problem}")


def _start_server(context: Context) -> None:
    board, loop = context.board, context.loop
    server = Server(context.command, context.log, lock_fd=context.lock_fd, temporary=context.temporary)
    context.notebook.write(
        end=End.RUNNING, run_since_ns=int(1e9 * server.started_wall_s), started_wall_s=server.started_wall_s
    )
    context.server = server
    board.counts.starts += 1
    board.server_since_s = server.started_wall_s
    board.enter(Phase.STARTING)
    context.log.info("server.started", pid=server.pid, command=context.command[0])
    loop.wait(lambda: server.ended() is not None or _is_ready(context), context.settings.start_limit_s, every_s=_POLL_S)


def _is_ready(context: Context) -> bool:
    observation = context.board.snapshot.observation
    return observation is not None and observation.server.ready
