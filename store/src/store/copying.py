"""`copy`: a store's consistent copy, taken while its server runs and writes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from store import catalog, index, schema, snapshot
from store.database import check_file, database_path, opened_to_read
from store.index_copy import copy_index, read_saved_row
from store.openers import check_not_open_here
from store.preparation import check_prepared
from store.progress import Progress, silent
from store.staging import give_to_owner_of, staged


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An index that is not in a copy: Chroma makes it from the log at its first use there."""

    collection_id: str
    collection_name: str
    why: str


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy holds. To use it, open it; every row acknowledged before it began is in it."""

    source: Path
    target: Path
    collections: int
    indexes: int
    left_out: tuple[LeftOut, ...]
    """Indexes which never held still, or are torn; not those that were never saved."""
    log_rows: int
    newest_row: int
    """Number of the newest log row in it."""
    rows_to_apply: int
    """Log rows that Chroma applies to the indexes at their first use."""
    sqlite_bytes: int
    index_bytes: int
    seconds: float


def copy(source: Path, target: Path, *, progress: Progress = silent) -> Copy:
    """Copy a prepared store without stopping anybody. Other processes may write it; this one must not have it open.

    Indexes first, each as of one save, then the log and records at one moment after that. So every index is older
    than the log beside it, and Chroma brings it up to date.

    Args:
        source: a prepared store. Nothing in it changes.
        target: a directory that is new or empty. It is filled at once, at the end.
        progress: told of indexes, then of SQLite's pages.

    Raises:
        StoreError: nothing was made at the target.
    """
    source, target = Path(source), Path(target)
    started_s = time.monotonic()
    check_file(source)
    check_not_open_here(source)
    with opened_to_read(source) as database, staged(target) as stage:
        schema.check(database)
        check_prepared(source, database)
        collections = catalog.collections(database)
        saved: dict[str, int] = {}
        left_out = []
        for number, each in enumerate(collections):
            progress("copying the indexes", number, len(collections))
            try:
                saved[each.vector_segment] = copy_index(
                    source / each.vector_segment,
                    stage / each.vector_segment,
                    partial(read_saved_row, database, each.vector_segment),
                )
            except index.IndexTorn as torn:
                if read_saved_row(database, each.vector_segment) is not None:
                    left_out.append(LeftOut(each.id, each.label, str(torn)))
        progress("copying the indexes", len(collections), len(collections))
        snapshot.take(database, stage, progress)
        kept = snapshot.set_indexes(stage, saved)
        give_to_owner_of(source, stage)
        return Copy(
            source=source,
            target=target,
            collections=kept.collections,
            indexes=kept.indexes,
            left_out=tuple(left_out),
            log_rows=kept.log_rows,
            newest_row=kept.newest_row,
            rows_to_apply=kept.rows_to_apply,
            sqlite_bytes=database_path(stage).stat().st_size,
            index_bytes=sum(index.size_bytes(folder) for folder in stage.iterdir() if folder.is_dir()),
            seconds=time.monotonic() - started_s,
        )
