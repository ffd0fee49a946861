"""What the archive at the target can be restored to, and the files that it takes.

When a transaction was shipped is read in the files themselves: what a target says of their times may be late by hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backup import ltx
from backup.errors import Damaged
from backup.gateway import LOG
from backup.target import Target


@dataclass(frozen=True, slots=True)
class Point:
    """One state of a lineage."""

    lineage: str
    transaction: int
    made_s: float
    """When it was read from the store: nothing in it was written later. Seconds since 1970."""
    pieces: tuple[ltx.Piece, ...]
    """The files that make it, in the order in which they apply."""
    without: frozenset[ltx.Piece] = frozenset()
    """Files that were found not to be whole."""
    gap: str = ""
    """Why it is not the newest that was ever shipped; empty when it is, or an older one was asked for."""

    @property
    def bytes(self) -> int:
        """Of its files."""
        return sum(piece.bytes for piece in self.pieces)


class Broken(Damaged):
    """Files of a lineage are not whole, or have gone: others may do without them."""

    def __init__(self, lineage: str, pieces: Sequence[ltx.Piece], why: str) -> None:
        self.pieces = frozenset(pieces)
        super().__init__(f"{', '.join(piece.name for piece in pieces)} of lineage {lineage}: {why}")


def lineages(target: Target) -> tuple[str, ...]:
    """The lineages at the target, the newest first."""
    return tuple(reversed(target.folders(LOG)))


def points(target: Target, moment_s: float | None) -> Iterator[Point]:
    """The state that each lineage can be restored to, the newest lineage first.

    Args:
        target: where the archive is.
        moment_s: nothing that was written later; None for the newest.

    Raises:
        BackupError: the target cannot be read.
    """
    for lineage in lineages(target):
        if (point := point_of(target, lineage, moment_s)) is not None:
            yield point


def point_of(
    target: Target, lineage: str, moment_s: float | None, without: frozenset[ltx.Piece] = frozenset()
) -> Point | None:
    """The state that a lineage can be restored to; None if it has none by then.

    Args:
        target: where the archive is.
        lineage: one there.
        moment_s: nothing that was written later; None for the newest.
        without: files that cannot be used.
    """
    try:
        return _point_of(target, lineage, moment_s, without)
    except Broken as broken:
        if broken.pieces <= without:
            raise
        # Not whole, or removed since it was listed, because its content is in another by now.
        return point_of(target, lineage, moment_s, without | broken.pieces)


def _point_of(target: Target, lineage: str, moment_s: float | None, without: frozenset[ltx.Piece]) -> Point | None:
    listed = _pieces(target, lineage)
    pieces = tuple(piece for piece in listed if piece not in without)
    upto = None if moment_s is None else _newest_by(target, lineage, pieces, moment_s)
    if upto == 0:
        return None
    chosen = ltx.plan(pieces, upto)
    if not chosen:
        return None
    last = chosen[-1]
    gap = ltx.gap(pieces) if moment_s is None else _gap_before(chosen, upto)
    if broken := [piece.name for piece in listed if piece in without]:
        gap = f"{', '.join(broken)} cannot be used"
    return Point(lineage, last.last, _made_s(target, lineage, last), chosen, without, gap)


def fetch(target: Target, point: Point, folder: Path) -> None:
    """Copy the files of a point into a folder, as Litestream expects them there.

    Raises:
        Broken: some are missing, or not what was written.
    """
    why = "it is not whole, or has gone"
    try:
        target.fetch_some(f"{LOG}/{point.lineage}", [piece.name for piece in point.pieces], folder)
    except Damaged as damaged:  # of one; rclone goes on with the others
        why = str(damaged)
    broken = [piece for piece in point.pieces if _bytes(folder / piece.name) != piece.bytes]
    if broken:
        raise Broken(point.lineage, broken, why)


def _pieces(target: Target, lineage: str) -> tuple[ltx.Piece, ...]:
    entries = target.entries(f"{LOG}/{lineage}", recursive=True)
    found = (ltx.piece(entry.path, entry.bytes) for entry in entries)
    return tuple(each for each in found if each is not None)


def _newest_by(target: Target, lineage: str, pieces: tuple[ltx.Piece, ...], moment_s: float) -> int:
    """The newest transaction that was made by a moment; 0 if none was."""
    newest = 0
    for level in {piece.level for piece in pieces}:
        ordered = sorted((piece for piece in pieces if piece.level == level), key=lambda piece: piece.last)
        low, high = 0, len(ordered)
        # Within a level they follow each other, and so do their times: a few headers decide.
        while low < high:
            middle = (low + high) // 2
            if _made_s(target, lineage, ordered[middle]) <= moment_s:
                low = middle + 1
            else:
                high = middle
        if low:
            newest = max(newest, ordered[low - 1].last)
    return newest


def _made_s(target: Target, lineage: str, piece: ltx.Piece) -> float:
    try:
        raw = target.read(f"{LOG}/{lineage}/{piece.name}", first_bytes=ltx.HEADER_BYTES)
        return ltx.read_header(raw or b"").made_ms / 1e3
    except (ValueError, Damaged) as error:
        raise Broken(lineage, [piece], str(error)) from error


def _gap_before(chosen: tuple[ltx.Piece, ...], upto: int | None) -> str:
    reached = chosen[-1].last
    if upto is None or reached >= upto:
        return ""
    return f"transactions {reached + 1} to {upto} are missing"


def _bytes(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
