"""Making a store small again: superseded log rows dropped, their room given back, indexes without tombstones."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from store import catalog, schema
from store.database import opened
from store.index.files import IDS
from store.lock_file import DIRECTORY
from store.openers import check_unused
from store.preparation import check_closed, check_prepared
from store.progress import Progress, silent
from store.superseded_rows import SupersededRows

SCAN_ROWS_PER_S = 100_000
DROP_ROWS_PER_S = 6_000
VACUUM_BYTES_PER_S = 35_000_000
"""For the estimate of a dry run; measured, see docs/durability.md."""

_VACUUM_FREE_SHARE = 0.1
"""Of the file: below it, VACUUM costs more than it gives. SQLite uses the free pages for the next rows anyway."""
_MARGIN_BYTES = 64 << 20
_STEPS_PER_LOOK = 100_000
"""SQLite's own steps between two looks at the clock, a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did, or with `dry_run` would do."""

    path: Path
    dry_run: bool
    rows: int
    """Of the log, before."""
    superseded_rows: int
    """Found; all of them only if it was not cut short."""
    superseded_bytes: int
    dropped_rows: int
    sqlite_bytes_before: int
    sqlite_bytes_after: int
    vacuumed: bool
    seconds: float
    """Taken, or with `dry_run` the estimate, without the rebuilds at the first use afterwards."""
    unfinished: tuple[str, ...]
    """What was left undone, and why; empty when there is nothing more to do."""


def compact(
    path: Path, *, dry_run: bool = False, time_limit_s: float | None = None, progress: Progress = silent
) -> Compaction:
    """Drop superseded rows and shrink the file. The server is stopped; the caller holds the writer lock.

    Nothing that can be read through Chroma changes, nor what a rebuild of an index gives. Killed at any moment it
    leaves a right store, on which the next compaction goes on.

    Args:
        path: a prepared store.
        dry_run: look only, and estimate.
        time_limit_s: stop cleanly once so much time has passed.
        progress: told of the rows looked at.

    Raises:
        StoreError: nothing was changed, or, where the disk filled up, only whole steps.
    """
    path = Path(path)
    started_s = time.monotonic()
    deadline_s = started_s + time_limit_s if time_limit_s is not None else float("inf")
    check_closed(path)
    check_unused(path)
    with opened(path) as database, _temporary_files(path, database):
        schema.check(database)
        check_prepared(path, database)
        before = _sqlite_bytes(database)
        settled = {each.id: _settled(each, path) for each in catalog.collections(database)}
        rows = SupersededRows(database, settled, progress)
        found = dropped = found_bytes = 0
        unfinished = []
        for batch in rows.batches():
            if _out_of_time(deadline_s):
                unfinished.append("not all superseded rows are dropped: the time was up")
                break
            found += len(batch.dropped)
            found_bytes += batch.dropped_bytes
            if not dry_run:
                rows.apply(batch)
                dropped += len(batch.dropped)
        vacuumed = False
        if not dry_run and not unfinished and _free_share(database) >= _VACUUM_FREE_SHARE:
            refused = _vacuum(path, database, deadline_s, progress)
            vacuumed = not refused
            unfinished += refused
        took_s = time.monotonic() - started_s
        return Compaction(
            path=path,
            dry_run=dry_run,
            rows=rows.rows,
            superseded_rows=found,
            superseded_bytes=found_bytes,
            dropped_rows=dropped,
            sqlite_bytes_before=before,
            sqlite_bytes_after=_sqlite_bytes(database),
            vacuumed=vacuumed,
            seconds=_estimate_s(rows.rows, found, before - found_bytes) if dry_run else took_s,
            unfinished=tuple(unfinished),
        )


def _settled(collection: catalog.Collection, store: Path) -> int:
    """Last log row that both index and records have for good; 0 for none.

    An index that was never saved is always made anew, so it holds nothing back. One that has files but no number is
    about to be repaired: nothing is settled.
    """
    if collection.vector_seq is not None:
        return min(collection.vector_seq, collection.metadata_seq or 0)
    return 0 if (store / collection.vector_segment / IDS).exists() else collection.metadata_seq or 0


def _estimate_s(rows: int, superseded: int, bytes_after: int) -> float:
    return rows / SCAN_ROWS_PER_S + superseded / DROP_ROWS_PER_S + max(bytes_after, 0) / VACUUM_BYTES_PER_S


@contextlib.contextmanager
def _temporary_files(path: Path, database: sqlite3.Connection) -> Iterator[None]:
    """Let SQLite sort and rebuild on the store's own volume; /tmp is often memory.

    The setting is one of the process, which is why it is taken back.
    """
    directory = path / DIRECTORY / "tmp"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    quoted = str(directory).replace("'", "''")
    database.execute(f"PRAGMA temp_store_directory = '{quoted}'")
    try:
        yield
    finally:
        database.execute("PRAGMA temp_store_directory = ''")


def _vacuum(path: Path, database: sqlite3.Connection, deadline_s: float, progress: Progress) -> list[str]:
    """Rewrite the file without its free pages; what prevented it, else nothing.

    SQLite writes it twice before the old pages go: to a temporary file, and to the WAL.
    """
    needed = 2 * _used_bytes(database) + _MARGIN_BYTES
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    if free < needed:
        return [f"the file is not shrunk: that needs {needed:,} bytes of free disk, and {free:,} are there"]
    progress("shrinking the file", 0, 0)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.set_progress_handler(lambda: _out_of_time(deadline_s), _STEPS_PER_LOOK)
    try:
        database.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return ["the file is not shrunk: the time was up"]
    finally:
        database.set_progress_handler(None, 0)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return []


def _out_of_time(deadline_s: float) -> bool:
    return time.monotonic() > deadline_s


def _pages(database: sqlite3.Connection) -> tuple[int, int, int]:
    """Size of a page in bytes, pages, free pages."""
    page_bytes, pages, free = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_size", "page_count", "freelist_count")
    )
    return page_bytes, pages, free


def _sqlite_bytes(database: sqlite3.Connection) -> int:
    page_bytes, pages, _ = _pages(database)
    return page_bytes * pages


def _used_bytes(database: sqlite3.Connection) -> int:
    page_bytes, pages, free = _pages(database)
    return page_bytes * (pages - free)


def _free_share(database: sqlite3.Connection) -> float:
    _, pages, free = _pages(database)
    return free / pages
