"""`assemble`: a store from the newest log and the indexes of an older copy, which spares rebuilding them."""

from __future__ import annotations

import shutil
import sqlite3
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from store import catalog, index, lineage, schema, snapshot
from store.copying import LeftOut
from store.database import check_file, file_opened_to_read, opened, opened_to_read
from store.errors import StoreMissing
from store.index_copy import copy_index, read_saved_row
from store.preparation import check_prepared
from store.progress import Progress, silent
from store.staging import give_to_owner_of, staged


@dataclass(frozen=True, slots=True)
class Assembly:
    """What was put together. To use it, open it."""

    log: Path
    older: Path
    target: Path
    collections: int
    indexes: int
    """Taken from the older store; Chroma brings them up to date at their first use."""
    left_out: tuple[LeftOut, ...]
    """Indexes of the older store that could not be used; made from the log at their first use."""
    log_rows: int
    newest_row: int
    rows_to_apply: int
    """Log rows that Chroma applies to the indexes at their first use."""
    seconds: float


def assemble(log: Path, older: Path, target: Path, *, progress: Progress = silent) -> Assembly:
    """Make a store of a log and the indexes that an older copy of the same store has.

    An index is taken only if its history is the log's, and the log still says all that came after it. It is given its
    own last row: beside a newer number Chroma would answer without what came in between.

    Args:
        log: the newest SQLite file, from an archive say, of any name. Nothing else may write it.
        older: a store as `copy` makes it. It may lack any index.
        target: a directory that is new or empty.
        progress: told of SQLite's pages, then of indexes.

    Raises:
        StoreError: nothing was made at the target.
    """
    log, older, target = Path(log), Path(older), Path(target)
    started_s = time.monotonic()
    if not log.is_file():
        raise StoreMissing(f"{log} is not a file: name the SQLite file which holds the newest log.")
    check_file(older)
    with file_opened_to_read(log) as newest, opened_to_read(older) as base, staged(target) as stage:
        for path, database in ((log, newest), (older, base)):
            schema.check(database)
            check_prepared(path, database)
        snapshot.take(newest, stage, progress)
        with opened(stage) as database:
            saved, left_out = _take_indexes(database, base, older, stage, progress)
        held = snapshot.set_indexes(stage, saved)
        give_to_owner_of(older, stage)
        return Assembly(
            log=log,
            older=older,
            target=target,
            collections=held.collections,
            indexes=held.indexes,
            left_out=tuple(left_out),
            log_rows=held.log_rows,
            newest_row=held.newest_row,
            rows_to_apply=held.rows_to_apply,
            seconds=time.monotonic() - started_s,
        )


def _take_indexes(
    database: sqlite3.Connection, base: sqlite3.Connection, older: Path, stage: Path, progress: Progress
) -> tuple[dict[str, int], list[LeftOut]]:
    """Copy the indexes that can be used; the last row of each, by VECTOR segment."""
    saved: dict[str, int] = {}
    left_out = []
    collections = catalog.collections(database)
    for number, each in enumerate(collections):
        progress("taking the indexes", number, len(collections))
        segment = each.vector_segment
        row = read_saved_row(base, segment)
        if row is None:
            continue
        try:
            copy_index(older / segment, stage / segment, partial(read_saved_row, base, segment))
            why = lineage.why_not(database, base, each, stage / segment, row)
        except index.IndexTorn as torn:
            why = str(torn)
        if why:
            left_out.append(LeftOut(each.id, each.label, why))
            shutil.rmtree(stage / segment, ignore_errors=True)
        else:
            saved[segment] = row
    progress("taking the indexes", len(collections), len(collections))
    return saved, left_out
