"""Do the five files of an index make one index? Everything but the elements is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from store import index
from store.index.elements import check_sizes
from store.index.ids import IdSeen


@dataclass(frozen=True, slots=True)
class Structure:
    """What the files say about themselves, and agree on."""

    header: index.Header
    ids: index.IdSummary
    levels: index.Levels


def read_structure(folder: Path, dimensions: int | None, seen: IdSeen | None = None) -> Structure:
    """Read header, ids and levels, and compare them with each other and with the sizes of the files.

    Args:
        folder: the index.
        dimensions: of the collection; None when it has none yet.
        seen: called with each id and its label.

    Raises:
        IndexTorn: something is missing, cut, impossible or contradictory.
    """
    index.stamp(folder)
    header = index.read_header(folder)
    if dimensions is not None and header.dimensions != dimensions:
        raise index.IndexTorn(f"its vectors have {header.dimensions} dimensions, the collection has {dimensions}")
    check_sizes(folder, header)
    levels = index.read_levels(folder, header)
    ids = index.read_ids(folder, seen)
    # Chroma begins a new index over the files of one without ids, and leaves the old ids in place until the next save.
    begun_anew = ids.ids == 0 and header.elements == 0
    if ids.total_added != header.elements and not begun_anew:
        raise index.IndexTorn(f"{ids.total_added} elements were added by its ids, {header.elements} by its header")
    return Structure(header=header, ids=ids, levels=levels)
