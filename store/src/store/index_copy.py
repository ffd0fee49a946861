"""Copying the folder of one index while Chroma may be saving it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from store import index
from store.index.elements import check_sizes
from store.index.files import LINKS
from store.staging import copy_file

_STILL_S = 0.05
"""Files must have been left alone so long before they are copied: a kernel's clock for file times has steps of up to
10 ms, within which a second write would not show."""
_TRIES = 6
_WAIT_S = 0.1
"""After the first try; each later one waits longer by as much, 1.5 s in all. Saving is short beside writing: an index
is saved once in `sync_threshold` rows (1,000), which takes about 50 ms."""

SavedRow = Callable[[], int | None]
"""The last log row of the saved index, as SQLite has it now; None when there is no saved index."""


def copy_index(folder: Path, target: Path, saved_row: SavedRow) -> int:
    """Copy an index as of one save.

    Files, their times and the row are looked at before and after: if none moved, no save came in between.

    Returns:
        The last log row that the copy has.

    Raises:
        IndexTorn: there is no whole index, or it never held still. Nothing is left at the target.
    """
    problem = index.IndexTorn("there is no saved index", incomplete=True)
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_WAIT_S * attempt)
        shutil.rmtree(target, ignore_errors=True)
        row = saved_row()
        if row is None:
            break
        try:
            _copy_once(folder, target)
            if saved_row() == row:
                return row
            problem = index.IndexTorn("it was saved again and again")
        except index.IndexTorn as error:
            problem = error
    shutil.rmtree(target, ignore_errors=True)
    raise problem


def _copy_once(folder: Path, target: Path) -> None:
    before = index.stamp(folder)
    if time.time_ns() - before.modified_ns < _STILL_S * 1e9:
        raise index.IndexTorn("it is being saved")
    if not before.ends_with_ids():
        raise index.IndexTorn("a save is under way, or never came to its end")
    _check_whole(folder)
    target.mkdir(mode=0o700)
    shutil.copymode(folder, target)
    for name in index.FILE_NAMES:
        try:
            copy_file(folder / name, target / name)
        except FileNotFoundError:
            raise index.IndexTorn(f"{name} vanished", incomplete=True) from None
    if index.stamp(folder) != before:
        raise index.IndexTorn("it was saved meanwhile")
    _check_whole(target)


def _check_whole(folder: Path) -> None:
    """Whether the files make an index, before any are copied: a torn one may pretend to have terabytes of links."""
    header = index.read_header(folder)
    check_sizes(folder, header)
    most = header.elements * (4 + header.highest_level * header.upper_level_bytes) if header.elements else 0
    size = (folder / LINKS).stat().st_size
    if size > most:
        raise index.IndexTorn(f"{LINKS} has {size} bytes, its elements have {most} at most")
    index.read_ids(folder)


def read_saved_row(database: sqlite3.Connection, segment: str) -> int | None:
    """The last log row of a saved index."""
    row = database.execute("SELECT seq_id FROM max_seq_id WHERE segment_id = ?", (segment,)).fetchone()
    return None if row is None else int(row[0])
