"""Making a store durable before its first data: the log is kept, the journal is a write-ahead log."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from store import access, log, schema
from store.database import check_file, database_path, opened
from store.errors import LogPurged, LogSwitchedOff, NotPrepared, PreparationFailed
from store.openers import check_unused

MARK = 0x43545831
"""SQLite's `application_id` ("CTX1") of a prepared store. It travels with every copy and survives `VACUUM`, so that a
log which is switched off later can be told from a store that never was prepared."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How the store's log and journal are set."""

    log_kept: bool
    journal_mode: str
    marked: bool
    """Whether this package has prepared the store before."""

    @property
    def is_prepared(self) -> bool:
        """Whether nothing needs to be done."""
        return self.log_kept and self.journal_mode == "wal" and self.marked


@dataclass(frozen=True, slots=True)
class Preparation:
    """What `prepare` found and did."""

    path: Path
    found: Condition
    audit: log.LogAudit | None
    """None when it was not needed: the log was kept from the first row on."""
    changed: tuple[str, ...]
    """In words, in the order it was done; empty when the store was prepared already."""


def prepare(path: Path, *, switch_on_again: bool = False, thorough: bool = False) -> Preparation:
    """Switch on the durable log and WAL journal of the store, once and for good. The server must be stopped.

    Everything is checked before anything is touched. Doing it again finds nothing to change, also after a crash in
    the middle. The caller holds the `WriterLock` where other processes may come.

    Args:
        path: the store, a directory with the `chroma.sqlite3` that Chroma 1.5.9 made.
        switch_on_again: accept a log that was switched off after the store was prepared, if it still holds every
            vector.
        thorough: look for every vector in the log also when the store is prepared already and nothing speaks against
            its log. It reads the whole log.

    Raises:
        StoreError: one subclass per reason, with what to do; the store is unchanged.
    """
    path = Path(path)
    check_closed(path)
    check_unused(path)
    with opened(path) as database:
        schema.check(database)
        found = condition(database)
        vacuumed = log.was_vacuumed(database)
        audit = None
        if thorough or vacuumed or not (found.marked and found.log_kept):
            # A mark says that the log was kept since the first data; a log now off, or a vacuum, takes that back.
            audit = log.audit(database, never_purged=found.marked and found.log_kept and not vacuumed)
            _refuse_incomplete(path, found, audit, switch_on_again=switch_on_again)
        changed = [] if found.is_prepared else _change(database, found)
    if changed:
        _sync(path)
    with opened(path) as database:
        _verify(path, condition(database))
    return Preparation(path=path, found=found, audit=audit, changed=tuple(changed))


def check_closed(path: Path) -> None:
    """Judge the store from outside, without opening the database or making any file.

    Raises:
        StoreError: it is no store, is cut off, or may not be written by this user.
    """
    check_file(path)
    access.check(path)


def check_prepared(path: Path, database: sqlite3.Connection) -> None:
    """Raise unless the store was prepared and its log is still kept, so that every index can be made from it.

    Raises:
        NotPrepared: it never was.
        LogSwitchedOff: the log was switched off since.
    """
    found = condition(database)
    if not found.marked:
        raise NotPrepared(
            f"{path} was never prepared, so its log may lack vectors that only the index files hold. Run `python -m "
            "store prepare` on it, or `python -m store adopt` if Chroma has purged its log already."
        )
    if not found.log_kept:
        raise LogSwitchedOff(
            f"the log of {path} was switched off after the store was prepared, most likely by `chroma vacuum`. Run "
            "`python -m store prepare` on it first: it says whether anything is missing."
        )


def condition(database: sqlite3.Connection) -> Condition:
    """How log and journal of the store are set now."""
    (journal_mode,) = database.execute("PRAGMA journal_mode").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    return Condition(
        log_kept=log.is_kept(log.setting(database)), journal_mode=str(journal_mode).lower(), marked=application == MARK
    )


def _refuse_incomplete(path: Path, found: Condition, audit: log.LogAudit, *, switch_on_again: bool) -> None:
    """Raise when the log cannot be trusted to rebuild every index."""
    if audit.unproven:
        before = "It was prepared once, so something switched the log off since, most likely `chroma vacuum`. "
        raise LogPurged(
            f"the log of {path} does not hold every vector: {audit.unproven} of {audit.records} records have none "
            "there that is surely theirs, because Chroma removed rows from its log. Their vectors exist in the index "
            f"files alone, which a crash can break and nothing could rebuild. {before if found.marked else ''}"
            "Run `python -m store adopt` on it, which writes them into the log, or restore a backup from before."
        )
    if found.marked and not found.log_kept and audit.has_data and not switch_on_again:
        raise LogSwitchedOff(
            f"the log of {path} was switched off after the store was prepared, most likely by `chroma vacuum`, which "
            f"must not be run on it. All {audit.records} records are still in the log, so nothing is lost yet: find "
            "what did it, then run `python -m store prepare --switch-on-again` on the store."
        )


def _change(database: sqlite3.Connection, found: Condition) -> list[str]:
    """Make the changes. The setting and the mark are one transaction; the journal mode cannot be inside of one."""
    changed = []
    if not (found.log_kept and found.marked):
        database.execute("BEGIN IMMEDIATE")
        log.keep(database, log.setting(database))
        database.execute(f"PRAGMA application_id = {MARK}")
        database.execute("COMMIT")
        if not found.log_kept:
            changed.append("the log is kept (automatically_purge: false)")
        if not found.marked:
            changed.append("the store is marked as prepared")
    if found.journal_mode != "wal":
        database.execute("PRAGMA journal_mode = WAL")
        changed.append(f"the journal mode is wal (was {found.journal_mode})")
    return changed


def _sync(path: Path) -> None:
    """Force file and directory to disk. SQLite has done it at each commit; a file system may need the directory."""
    for target in (database_path(path), path):
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _verify(path: Path, condition: Condition) -> None:
    """Read back with a new connection what Chroma will find."""
    if condition.journal_mode != "wal":
        raise PreparationFailed(
            f"{database_path(path)} stays in journal mode {condition.journal_mode}: its file system gives no shared "
            "memory (a network share, most likely). Put the store on a local or block volume."
        )
    if not condition.is_prepared:
        raise PreparationFailed(f"{database_path(path)} did not keep what was written to it: {condition}.")
