"""What the guard sees: put together in every tick from what is cheap, and from what its threads saw last."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from healthcheck.actions import Phase
from healthcheck.ask_api import AskAny, AskApi
from healthcheck.ask_chroma import AskChroma
from healthcheck.backup_state import read_backup_state
from healthcheck.certificate import ends_wall_s
from healthcheck.cgroup import memory_kills
from healthcheck.disk import filesystem
from healthcheck.judge_server import is_blocked
from healthcheck.limits import Limits, ServerKind
from healthcheck.measure import memory
from healthcheck.observation import (
    BackupView,
    DiskView,
    MemoryView,
    Observation,
    OpenFiles,
    ScrubView,
    ServerView,
)
from healthcheck.open_files import open_files
from healthcheck.server_watch import ASK_EVERY_S, Asker, ServerWatch
from healthcheck.store_look import StoreLook
from healthcheck.store_watch import LOOK_EVERY_S, StoreWatch, in_words
from healthcheck.url import split_url

FILES_EVERY_S = 10.0
"""Counting open files walks through all of them."""
CERTIFICATE_EVERY_S = 300.0
"""A new one is seen soon enough, and an end is weeks away."""
BACKUP_EVERY_S = 5.0
"""As often as the archiver tells it."""
NO_ROOM_BYTES = 1 << 20
"""A file system with less room than this has refused, or will refuse, a write of the server."""
_LOOKED_AT_IN = {Phase.STARTING, Phase.WARMING, Phase.SERVING}


class Observer:
    """Looks without ever blocking. One per guard, used from its loop's thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._has_store = limits.server is not ServerKind.NONE
        self._store = StoreWatch(Path(limits.store_path), min(LOOK_EVERY_S, limits.canary_interval_s))
        self._watch = ServerWatch(_asker(limits, self._store.look), min(ASK_EVERY_S, limits.canary_interval_s))
        self._files: OpenFiles | None = None
        self._files_at_s = float("-inf")
        self._certificate_ends_s: float | None = None
        self._certificate_at_s = float("-inf")
        self._backup_seen: BackupView | None = None
        self._backup_at_s = float("-inf")
        self._full_pid: int | None = None
        """The process which was seen without room on its disk."""
        self._answered_pid: int | None = None
        self._problems: dict[str, str] = {}

    def observe(self, pid: int | None, phase: Phase, scrub: ScrubView | None = None) -> Observation:
        """Everything that is known at this moment; about 0.3 ms.

        Args:
            pid: of the server; None when none runs.
            phase: the store is looked at only while its server runs.
            scrub: what the last one found.
        """
        now_s = time.monotonic()
        disk = self._disk() if self._has_store else None
        server = self._server(pid, now_s, disk)
        if self._has_store:
            blocked = self._blocked(server)
            self._store.mind(now_s, self._pid_to_look_at(server, phase), blocked=blocked)
            server = replace(server, write_lock_pid=self._store.seen.write_lock_pid if blocked else None)
            self._note("store", self._store.seen.problem)
        return Observation(
            at_s=now_s,
            wall_s=time.time(),
            server=server,
            memory=self._memory(),
            memory_kills=memory_kills(),
            disk=disk,
            store_bytes=self._store.seen.bytes,
            open_files=self._open_files(pid, now_s),
            store=self._store.seen.view,
            scrub=scrub or ScrubView(),
            backup=self._backup(now_s) if self._limits.backups else None,
            certificate_ends_wall_s=self._certificate(now_s) if self._limits.certificate else None,
            problems=tuple(self._problems.items()),
        )

    def let_go(self, limit_s: float = 5.0) -> bool:
        """Break off a running look at the store, and wait for its end: before anything else opens a stopped store.

        Looks begin again once `observe` is called in a phase in which the server runs.

        Returns:
            Whether nothing of this process has the store open any more.
        """
        return self._store.let_go(limit_s)

    def close(self) -> None:
        """End the threads."""
        self._watch.close()
        self._store.close()

    def _server(self, pid: int | None, now_s: float, disk: DiskView | None) -> ServerView:
        if pid is not None and disk is not None and _no_room(disk):
            self._full_pid = pid
        view = self._watch.view(pid, now_s)
        full = view.disk_full or (pid is not None and pid == self._full_pid)
        return replace(view, disk_full=full)

    def _pid_to_look_at(self, server: ServerView, phase: Phase) -> int | None:
        """The server's, from its first answer on: before, it may not have opened the store yet."""
        if server.answered:
            self._answered_pid = server.pid
        return server.pid if phase in _LOOKED_AT_IN and server.pid == self._answered_pid else None

    def _blocked(self, server: ServerView) -> bool:
        return server.canary is not None and is_blocked(server.canary, self._limits.canary_max_age_s)

    def _memory(self) -> MemoryView | None:
        try:
            found = memory()
        except (OSError, ValueError, ImportError) as error:
            self._note("memory", in_words(error))
            return None
        self._note("memory", "")
        return MemoryView(found.used_bytes, found.limit_bytes, found.scope)

    def _disk(self) -> DiskView | None:
        try:
            found = filesystem(self._limits.store_path)
        except OSError as error:
            self._note("disk", in_words(error))
            return None
        self._note("disk", "")
        return DiskView(found.used_bytes, found.usable_bytes, found.used_inodes, found.usable_inodes)

    def _open_files(self, pid: int | None, now_s: float) -> OpenFiles | None:
        if pid is None:
            self._files, self._files_at_s = None, float("-inf")
            self._note("open_files", "the server does not run")
        elif now_s - self._files_at_s >= FILES_EVERY_S:
            self._files_at_s = now_s
            try:
                self._files = open_files(pid)
                self._note("open_files", "")
            except OSError as error:
                self._files = None
                self._note("open_files", in_words(error))
        return self._files

    def _certificate(self, now_s: float) -> float | None:
        if now_s - self._certificate_at_s >= CERTIFICATE_EVERY_S:
            self._certificate_at_s = now_s
            try:
                self._certificate_ends_s = ends_wall_s(self._limits.certificate)
                self._note("certificate", "")
            except OSError as error:
                self._certificate_ends_s = None
                self._note("certificate", in_words(error))
        return self._certificate_ends_s

    def _backup(self, now_s: float) -> BackupView | None:
        if now_s - self._backup_at_s >= BACKUP_EVERY_S:
            self._backup_at_s = now_s
            try:
                self._backup_seen = read_backup_state(Path(self._limits.store_path))
                self._note("backup", "")
            except (OSError, ValueError) as error:
                self._backup_seen = None
                self._note("backup", in_words(error))
        return self._backup_seen

    def _note(self, what: str, why: str) -> None:
        if why:
            self._problems[what] = why
        else:
            self._problems.pop(what, None)


def _asker(limits: Limits, look: StoreLook) -> Asker:
    host, port, target = split_url(limits.url)
    if limits.server is ServerKind.CHROMA:
        return AskChroma(
            host,
            port,
            target,
            timeout_s=limits.timeout_s,
            canary_every_s=limits.canary_interval_s,
            canary_limit_s=max(limits.timeout_s, limits.wedged_after_s / 3),
            indexes=look.indexes,
        )
    kind = AskApi if limits.server is ServerKind.API else AskAny
    return kind(host, port, target, limits.timeout_s)


def _no_room(disk: DiskView) -> bool:
    no_inodes = disk.usable_inodes > 0 and disk.used_inodes >= disk.usable_inodes
    return disk.free_bytes < NO_ROOM_BYTES or no_inodes
