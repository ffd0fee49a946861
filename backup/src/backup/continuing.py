"""May an archive go on where it stopped?

Litestream 0.5.18 believes that nothing is missing when the last page that it read is still in the write-ahead log.
While it was away SQLite may have begun that log anew, and what was written in between is then in no file: the archive
restores to a database that never was (2 of 20 kills under a writer). So a lineage goes on only where it is proved to.
"""

from __future__ import annotations

import struct
from pathlib import Path

from store.database import database_path

from backup import ltx

_WAL_HEADER_BYTES = 32
_SALTS_AT = 16


def last_header(staging: Path) -> ltx.Header | None:
    """The header of the newest file read from the log, of one lineage's staging; None when there is none to trust."""
    read = [each for each in ltx.local_pieces(staging) if each.level == 0]
    if not read:
        return None
    try:
        return _header(staging, max(read, key=lambda each: each.last))
    except (OSError, ValueError):
        return None


def may_continue(store: Path, last: ltx.Header) -> bool:
    """Whether the write-ahead log still has all that came after the newest file.

    It may be begun anew between this look and Litestream's first one: `joins` tells afterwards.
    """
    wal = database_path(store)
    wal = wal.with_name(f"{wal.name}-wal")
    try:
        with wal.open("rb") as file:
            header = file.read(_WAL_HEADER_BYTES)
        size = wal.stat().st_size
    except OSError:
        return False
    if len(header) < _WAL_HEADER_BYTES:
        return False
    return struct.unpack_from(">II", header, _SALTS_AT) == last.salts and size >= last.wal_end


def joins(staging: Path, last: ltx.Header) -> bool | None:
    """Whether the first file after `last` joins it; None while there is none.

    Args:
        staging: of the lineage.
        last: header of the newest file before Litestream was started again.
    """
    read = [each for each in ltx.local_pieces(staging) if each.level == 0 and each.last > last.last]
    if not read:
        return None
    try:
        first = _header(staging, min(read, key=lambda each: each.first))
    except (OSError, ValueError):
        return False
    return first.first == last.last + 1 and first.salts == last.salts and first.wal_offset == last.wal_end


def _header(staging: Path, piece: ltx.Piece) -> ltx.Header:
    with (staging / piece.name).open("rb") as file:
        return ltx.read_header(file.read(ltx.HEADER_BYTES))
