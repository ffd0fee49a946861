"""The graph of an index: labels that belong to ids, links that lead to elements."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass

from store import index
from store.index.links import upper_links
from store.verification.presence import Tally
from store.verification.structure import Structure
from store.verification.subject import Subject

_LINK_ROOM = 4
"""Bytes of a count of links: 16 bits, a byte with the mark of a delete, an unused byte."""
_FLAGS = 0x01
_ABSENT = 0


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the element of each label is."""

    by_label: array[int]
    """Position + 1, by label; 0 where no live element has it."""
    live: int
    """Elements not marked as deleted."""
    unlinked: Tally
    """Labels of live elements without a link, though there are others: no query comes to them. Chroma makes such ones
    itself, rarely: when it applies adds and deletes in parallel, an element can be deleted while another is linked to
    it (hnswlib, `addPoint`)."""

    def of(self, label: int) -> int | None:
        """Position of the live element of a label."""
        found = self.by_label[label] if label < len(self.by_label) else _ABSENT
        return None if found == _ABSENT else found - 1


def read_graph(subject: Subject, structure: Structure, elements: index.Elements) -> Positions:
    """Read the graph once, from the first element to the last.

    Raises:
        IndexTorn: a label occurs twice or was never given out, or a link leads nowhere.
    """
    header = structure.header
    by_label = array("I", bytes(4 * (structure.ids.total_added + 1)))
    seen = bytearray(structure.ids.total_added + 1)
    live, unlinked = 0, Tally()
    counted = struct.Struct(f"<HBB{header.max_links_lowest}I")
    for first, block in elements.blocks():
        labels = elements.labels_of(block)
        for at, label in enumerate(labels):
            position = first + at
            count, flags, unused, *links = counted.unpack_from(block, at * header.element_bytes)
            if not 0 < label < len(seen) or seen[label]:
                raise index.IndexTorn(f"element {position} has label {label}, which another has or none was given")
            seen[label] = 1
            if count > header.max_links_lowest or flags & ~_FLAGS or unused:
                raise index.IndexTorn(f"element {position} has an impossible count of links or mark")
            if count and max(links[:count]) >= header.elements:
                raise index.IndexTorn(f"element {position} has a link to element {max(links[:count])}, there is none")
            if not flags:
                by_label[label] = position + 1
                live += 1
                if count == 0 and header.elements > 1:
                    unlinked.add(label)
    if live != structure.ids.ids:
        raise index.IndexTorn(f"{live} elements are not marked as deleted, and {structure.ids.ids} ids have one")
    _check_upper(subject, structure)
    return Positions(by_label=by_label, live=live, unlinked=unlinked)


def _check_upper(subject: Subject, structure: Structure) -> None:
    """Links of a level may only lead to elements that are on this level: hnswlib follows them without a look."""
    header, levels = structure.header, structure.levels.of
    if header.elements and levels[header.entry_point] != header.highest_level:
        raise index.IndexTorn(f"the entry point, element {header.entry_point}, is not on the highest level")
    one_level = struct.Struct(f"<HH{header.max_links}I")
    subject.pace.spent(structure.levels.bytes)
    for position, raw in upper_links(subject.folder, header):
        for level, (count, unused, *links) in enumerate(one_level.iter_unpack(raw), start=1):
            if count > header.max_links or unused:
                raise index.IndexTorn(f"element {position} has an impossible count of links on level {level}")
            for link in links[:count]:
                if link >= header.elements or levels[link] < level:
                    raise index.IndexTorn(f"element {position} has a link to element {link}, not on level {level}")
