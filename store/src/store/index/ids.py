"""`index_metadata.pickle`: which id has which label. Read without unpickling, so that nothing in it can be executed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from store.index.files import IDS, IndexTorn
from store.index.older_ids import read_older

_BLOCK_BYTES = 1 << 18
_UINT32 = struct.Struct("<I")
_INT32 = struct.Struct("<i")
_ENTRY_BYTES = 10
"""Of an entry without its text: two opcodes, a size and a number."""
_TEXT, _NUMBER = b"XJ"
_POSITIVE = 0x7F
"""Greatest last byte of a number that is not negative."""
_OLDER_START = {b"\x80\x04", b"\x80\x05"}
"""Protocols that serde-pickle does not write, and Chroma before 1.0 did."""
_HASH_MASK = (1 << 64) - 1

IdSeen = Callable[[str, int], None]
"""Called with an id and its label, in the order of the file, which is none."""


@dataclass(frozen=True, slots=True)
class IdSummary:
    """What the file says about the index as a whole."""

    total_added: int
    """Labels given out so far: 1, 2, … up to this."""
    ids: int
    """Ids of the records in the index."""
    highest_label: int
    """0 when there are no ids."""


def read_ids(folder: Path, seen: IdSeen | None = None) -> IdSummary:
    """Read the file to its end, one entry at a time: 0.25 s for 100,000 ids, in memory of half a megabyte.

    Args:
        folder: the index.
        seen: called for each id.

    Raises:
        IndexTorn: the file is missing, empty, cut, or not what Chroma writes, or its two maps contradict each other.
    """
    try:
        with (folder / IDS).open("rb", buffering=0) as file:
            if file.read(2) in _OLDER_START:
                return _read_older(folder, seen or _ignore)
            file.seek(0)
            return _Reader(file, seen or _ignore).read()
    except FileNotFoundError:
        raise IndexTorn(f"{IDS} is missing", incomplete=True) from None


def _ignore(_id: str, _label: int) -> None:
    """Nobody wants to know."""


def _read_older(folder: Path, seen: IdSeen) -> IdSummary:
    with (folder / IDS).open("rb") as file:
        found = read_older(file)
    for id_, label in found.id_to_label.items():
        seen(id_, label)
    highest = max(found.label_to_id, default=0)
    if highest > found.total_elements_added:
        raise IndexTorn(f"{IDS} has label {highest}, and {found.total_elements_added} were given out")
    return IdSummary(total_added=found.total_elements_added, ids=len(found.id_to_label), highest_label=highest)


class _Reader:
    """The few opcodes that Chroma's writer (serde-pickle) uses: one dictionary with two large ones in it.

    https://docs.python.org/3/library/pickletools.html explains the opcodes.
    """

    def __init__(self, file: BinaryIO, seen: IdSeen) -> None:
        self._file = file
        self._seen = seen
        self._buffer = b""
        self._at = 0

    def read(self) -> IdSummary:
        if not self._need(1):
            raise IndexTorn(f"{IDS} is empty")
        if self._take(2) not in {b"\x80\x02", b"\x80\x03"}:
            raise self._foreign("start")
        self._expect(b"}(")
        single: dict[str, int | None] = {}
        counts: dict[str, int] = {}
        sums: dict[str, int] = {}
        highest = 0
        while (opcode := self._take(1)) != b"u":
            name = self._text(opcode)
            if name == "id_to_label":
                counts[name], sums[name], highest = self._ids_to_labels()
            elif name == "label_to_id":
                counts[name], sums[name] = self._labels_to_ids()
            elif name == "id_to_seq_id":
                self._ids_to_labels(self_seen=_ignore)
            else:
                single[name] = self._number_or_none()
        self._expect(b".")
        if self._need(1):
            raise IndexTorn(f"{IDS} goes on after its end")
        total = single.get("total_elements_added")
        if total is None or "id_to_label" not in counts or "label_to_id" not in counts:
            raise IndexTorn(f"{IDS} lacks a part: {', '.join([*single, *counts])}")
        if counts["id_to_label"] != counts["label_to_id"] or sums["id_to_label"] != sums["label_to_id"]:
            raise IndexTorn(f"{IDS}: its map from ids to labels is not the reverse of its map from labels to ids")
        if highest > total:
            raise IndexTorn(f"{IDS} has label {highest}, and {total} were given out")
        return IdSummary(total_added=total, ids=counts["id_to_label"], highest_label=highest)

    def _ids_to_labels(self, self_seen: IdSeen | None = None) -> tuple[int, int, int]:
        """Entries, a sum over them that does not depend on their order, and the highest label."""
        seen = self_seen or self._seen
        count = total = highest = 0
        for id_, label in self._entries(self._id_and_label, self._ids_and_labels):
            seen(id_, label)
            count += 1
            total += hash((id_, label))
            highest = max(highest, label)
        return count, total & _HASH_MASK, highest

    def _labels_to_ids(self) -> tuple[int, int]:
        count = total = 0
        for id_, label in self._entries(self._label_and_id, self._labels_and_ids):
            count += 1
            total += hash((id_, label))
        return count, total & _HASH_MASK

    def _entries(
        self, one: Callable[[bytes], tuple[str, int]], many: Callable[[], Iterator[tuple[str, int]]]
    ) -> Iterator[tuple[str, int]]:
        """The entries of one dictionary: those which are whole in the buffer at once, the others opcode by opcode."""
        self._expect(b"}")
        opcode = self._take(1)
        while opcode == b"(":
            yield from many()
            while (opcode := self._take(1)) != b"u":
                yield one(opcode)
                yield from many()
            opcode = self._take(1)
        self._at -= 1

    def _id_and_label(self, opcode: bytes) -> tuple[str, int]:
        id_ = self._text(opcode)
        return id_, self._number(self._take(1))

    def _label_and_id(self, opcode: bytes) -> tuple[str, int]:
        label = self._number(opcode)
        return self._text(self._take(1)), label

    def _ids_and_labels(self) -> Iterator[tuple[str, int]]:
        buffer, at, last = self._buffer, self._at, len(self._buffer) - _ENTRY_BYTES
        while at < last and buffer[at] == _TEXT:
            end = at + 5 + _UINT32.unpack_from(buffer, at + 1)[0]
            if end > last or buffer[end] != _NUMBER or buffer[end + 4] > _POSITIVE:
                break
            try:
                id_ = buffer[at + 5 : end].decode()
            except UnicodeDecodeError:
                break
            at = end + 5
            self._at = at
            yield id_, _INT32.unpack_from(buffer, end + 1)[0]

    def _labels_and_ids(self) -> Iterator[tuple[str, int]]:
        buffer, at, last = self._buffer, self._at, len(self._buffer) - _ENTRY_BYTES
        while at < last and buffer[at] == _NUMBER and buffer[at + 5] == _TEXT and buffer[at + 4] <= _POSITIVE:
            end = at + 10 + _UINT32.unpack_from(buffer, at + 6)[0]
            if end > last:
                break
            try:
                id_ = buffer[at + 10 : end].decode()
            except UnicodeDecodeError:
                break
            label = _INT32.unpack_from(buffer, at + 1)[0]
            at = end
            self._at = at
            yield id_, label

    def _text(self, opcode: bytes) -> str:
        if opcode != b"X":
            raise self._foreign(f"opcode {opcode!r}")
        (size,) = _UINT32.unpack(self._take(4))
        try:
            return self._take(size).decode()
        except UnicodeDecodeError:
            raise self._foreign("text") from None

    def _number(self, opcode: bytes) -> int:
        if opcode == b"J":
            (value,) = _INT32.unpack(self._take(4))
        elif opcode == b"\x8a":  # a long: size, then as many bytes
            value = int.from_bytes(self._take(self._take(1)[0]), "little", signed=True)
        else:
            raise self._foreign(f"opcode {opcode!r}")
        if value < 0:
            raise self._foreign("number")
        return int(value)

    def _number_or_none(self) -> int | None:
        opcode = self._take(1)
        return None if opcode == b"N" else self._number(opcode)

    def _expect(self, wanted: bytes) -> None:
        if self._take(len(wanted)) != wanted:
            raise self._foreign(f"something other than {wanted!r}")

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._buffer):
            if not self._need(size):
                raise IndexTorn(f"{IDS} ends in the middle")
            end = self._at + size
        taken = self._buffer[self._at : end]
        self._at = end
        return taken

    def _need(self, size: int) -> bool:
        """Have so many bytes in the buffer, reading more of the file where there is more."""
        while len(self._buffer) - self._at < size:
            more = self._file.read(max(_BLOCK_BYTES, min(size, _BLOCK_BYTES * 16)))
            if not more:
                return False
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
        return True

    def _foreign(self, what: str) -> IndexTorn:
        return IndexTorn(f"{IDS} is not what Chroma writes ({what})")
