"""From a folder to a server that serves: room, tables, preparation, verification, memory, start, warm-up."""

from __future__ import annotations

import time
from pathlib import Path

import store
from healthcheck.actions import Phase
from healthcheck.alone import alone
from healthcheck.ask import ask
from healthcheck.checking import UNVERIFIED, activity_of, check
from healthcheck.context import Context, Refused
from healthcheck.disk import filesystem
from healthcheck.ends import Check, End
from healthcheck.limits import ServerKind
from healthcheck.measure import memory
from healthcheck.predicting import memory_shortage, rebuild_seconds, stored
from healthcheck.settings import OnMemoryShort
from healthcheck.supervise import Server
from healthcheck.units import human_bytes
from healthcheck.url import split_url

EXIT_UNUSABLE = 65
EXIT_LOCKED = 75
ROOM_BYTES = 16 << 20
"""Free bytes without which no server is started: SQLite's WAL and the canary need some, and a server that meets a full
disk is locked up until it is restarted."""
_POLL_S = 0.1
"""While the server starts: whether it is ready is looked at this often."""
_ASK_LIMIT_S = 0.5
_SCHEMA_LIMIT_S = 120.0
_PREPARE_LIMIT_S = 1800.0
_IN_USE_LIMIT_S = 30.0
"""A process that is just ending may still have the store open."""
_IN_USE_POLL_S = 1.0
_INSPECT_LIMIT_S = 600.0


def start(context: Context, due: Check | None) -> None:
    """Run the whole sequence; `context.server` then serves, or has ended, or takes too long.

    Args:
        context: of the guard.
        due: how deep the store is verified; None without a store.

    Raises:
        Refused: the store stays closed.
        StopRequested: the guard was asked to stop.
    """
    limit_s = context.settings.start_limit_s
    if due is not None:
        context.remarks.clear()
        context.board.enter(Phase.PREPARING)
        try:
            _wait_for_room(context)
            _empty(context.temporary)
        except OSError as error:
            raise Refused(EXIT_UNUSABLE, f"{context.store} cannot be used: {error}") from error
        with alone(context):
            _make_tables(context)
            _prepare(context)
            check(context, due)
            limit_s += _predict(context)
    _start_server(context)
    _wait_until_ready(context, limit_s)


def is_ready(context: Context) -> bool:
    """Whether the server was seen to serve."""
    observation, server = context.board.snapshot.observation, context.server
    if observation is None or server is None:
        return False
    return observation.server.pid == server.pid and observation.server.ready


def _wait_for_room(context: Context) -> None:
    def free_bytes() -> int:
        disk = filesystem(str(context.store))
        return max(0, disk.usable_bytes - disk.used_bytes)

    if free_bytes() >= ROOM_BYTES:
        return
    need = human_bytes(ROOM_BYTES)
    context.board.enter(Phase.PREPARING, f"waits for room on the disk: {human_bytes(free_bytes())} free, {need} needed")
    context.log.warning("disk.wait", free_bytes=free_bytes(), needed_bytes=ROOM_BYTES)
    start_s = time.monotonic()
    context.loop.wait(lambda: free_bytes() >= ROOM_BYTES)
    context.board.did("wait for room", f"less than {need} free", "done", time.monotonic() - start_s)
    context.board.enter(Phase.PREPARING)


def _empty(folder: Path | None) -> None:
    """Make the folder for temporary files; what a killed process left there goes."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.is_file():
            left.unlink(missing_ok=True)


def _make_tables(context: Context) -> None:
    """Let Chroma make its tables in an empty store, before it is prepared."""
    if (context.store / "chroma.sqlite3").exists():
        return
    if why := store.interrupted(context.store):
        raise Refused(EXIT_UNUSABLE, why)
    if command := context.settings.schema_command:
        done = context.run("schema", [*command, str(context.store)], _SCHEMA_LIMIT_S)
        if done.exit_code != 0:
            raise Refused(EXIT_UNUSABLE, f"the tables could not be made in {context.store}: {done.problem}")
    elif context.settings.server is ServerKind.CHROMA:
        _let_the_server_make_them(context)
    else:
        raise Refused(
            EXIT_UNUSABLE,
            f"{context.store} holds no chroma.sqlite3, and HEALTH_SCHEMA_COMMAND does not say what makes one, for "
            "example python3 -m cortex_api.schema",
        )


def _let_the_server_make_them(context: Context) -> None:
    """Start the server until it answers: then its tables are complete. It is stopped again to be prepared.

    It is not watched meanwhile: a canary would be written before the log is kept.
    """
    context.log.info("schema", reason="the server is started once to make its tables")
    host, port, target = split_url(context.settings.url)
    server = Server(context.command, context.log, lock_fd=context.lock_fd, temporary=context.temporary)

    def answers() -> bool:
        return server.ended() is not None or not ask(host, port, target, time.monotonic() + _ASK_LIMIT_S).problem

    try:
        context.loop.wait(answers, context.settings.start_limit_s, every_s=_POLL_S)
    finally:
        server.stop(context.loop, context.settings.stop_grace_s)
    if not (context.store / "chroma.sqlite3").exists():
        raise Refused(EXIT_UNUSABLE, f"the server made no tables in {context.store}: does it write there?")


def _prepare(context: Context) -> None:
    """Switch on the durable log and the WAL journal, or see that they still are."""
    deadline_s = time.monotonic() + _IN_USE_LIMIT_S
    done = context.work_on("prepare", limit_s=_PREPARE_LIMIT_S)
    while done.exit_code == EXIT_LOCKED and time.monotonic() < deadline_s:
        if (reader := _reader(context)) and _is_prepared(context):
            # It only reads. Somebody else who has the store open may write.
            context.log.info("prepare.skipped", reason=f"{reader} is under way; the store was prepared before")
            return
        context.board.enter(Phase.PREPARING, "waits: another process has the store open")
        context.loop.wait(lambda: False, _IN_USE_POLL_S)
        done = context.work_on("prepare", limit_s=_PREPARE_LIMIT_S)
    if done.failed:
        raise Refused(EXIT_LOCKED if done.exit_code == EXIT_LOCKED else EXIT_UNUSABLE, done.problem)
    if changed := done.result.get("changed"):
        context.log.info("store.prepared", changed=changed)


def _reader(context: Context) -> str:
    """What has the database open without being a server; empty if nothing is known."""
    return activity_of(context) or ("archiving" if store.is_archived(context.store) else "")


def _is_prepared(context: Context) -> bool:
    found = context.look_at("inspect", limit_s=_INSPECT_LIMIT_S).result
    return bool(found.get("log_kept")) and bool(found.get("marked")) and found.get("journal_mode") == "wal"


def _predict(context: Context) -> float:
    """Compare the memory that the data needs with what there is; returns seconds for rebuilding indexes."""
    done = context.look_at("inspect", limit_s=_INSPECT_LIMIT_S)
    if done.failed:
        raise Refused(EXIT_UNUSABLE, done.problem)
    data = stored(done.result)
    model = context.settings.memory_model
    shortage = ""
    if model is not None:
        have = memory()
        whose = "the container's limit" if have.scope == "container" else "the machine's memory"
        shortage = memory_shortage(model, data, have.limit_bytes, whose)
    if shortage and context.settings.on_memory_short is OnMemoryShort.REFUSE:
        raise Refused(EXIT_UNUSABLE, shortage)
    if shortage:
        context.remarks["memory"] = shortage
        context.log.warning("memory.short", reason=shortage)
    seconds = rebuild_seconds(data)
    if seconds > 1:
        context.log.info("rebuild.expected", rows=data.rows_to_replay, limit_s=round(seconds, 1))
    return seconds


def _start_server(context: Context) -> None:
    board, notes = context.board, context.notebook.notes
    wall_s = time.time()
    # Without a verification the next start has to look at what the earlier run left, too.
    owing = UNVERIFIED in context.remarks and notes.end is not End.CLEAN
    noted = context.notebook.write(
        end=End.RUNNING,
        end_message="",
        run_since_ns=notes.run_since_ns if owing else int(1e9 * wall_s),
        started_wall_s=wall_s,
        disk_full=owing and notes.disk_full,
    )
    if not noted and context.settings.has_store:
        # Without the mark a crash of this run would be taken for the clean end of the last one.
        raise Refused(EXIT_UNUSABLE, context.notebook.problem)
    server = Server(context.command, context.log, lock_fd=context.lock_fd, temporary=context.temporary)
    context.server = server
    board.counts.starts += 1
    board.server_pid = server.pid
    board.server_since_s = server.started_wall_s
    board.enter(Phase.STARTING)
    context.log.info("server.started", pid=server.pid)


def _wait_until_ready(context: Context, limit_s: float) -> None:
    server = context.server
    if server is not None:
        with context.loop.faster(_POLL_S):
            context.loop.wait(lambda: server.ended() is not None or is_ready(context), limit_s)
