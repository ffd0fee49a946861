"""Which files an index has, how large they are, and whether they changed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HEADER = "header.bin"
ELEMENTS = "data_level0.bin"
LENGTHS = "length.bin"
LINKS = "link_lists.bin"
IDS = "index_metadata.pickle"
FILE_NAMES = (HEADER, ELEMENTS, LENGTHS, LINKS, IDS)
"""In the order in which Chroma writes them."""


class IndexTorn(Exception):  # noqa: N818 (the state of the files, not an error of this program)
    """The files of an index do not make an index: one is missing, cut, or contradicts another.

    Attributes:
        incomplete: a file is missing altogether.
    """

    def __init__(self, problem: str, *, incomplete: bool = False) -> None:
        self.incomplete = incomplete
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Times and sizes of the files: equal stamps mean that nothing was saved in between."""

    files: tuple[tuple[str, int, int], ...]
    """Name, modification time in nanoseconds, bytes."""

    @property
    def modified_ns(self) -> int:
        """When the last of the files was written."""
        return max(modified_ns for _, modified_ns, _ in self.files)

    @property
    def bytes(self) -> int:
        """All of the files, apparent size."""
        return sum(size for _, _, size in self.files)

    def ends_with_ids(self) -> bool:
        """Whether the ids are not older than the rest, as after a save that came to its end."""
        times = {name: modified_ns for name, modified_ns, _ in self.files}
        return times[IDS] >= max(times.values())


def stamp(folder: Path) -> Stamp:
    """Look at the files without opening them.

    Raises:
        IndexTorn: the folder or one of the files is not there, or is no regular file.
    """
    found = []
    for name in FILE_NAMES:
        try:
            status = (folder / name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            missing = [other for other in FILE_NAMES if not (folder / other).exists()]
            what = "the folder" if not folder.exists() else ", ".join(missing)
            raise IndexTorn(f"{what} is missing", incomplete=True) from None
        if not (folder / name).is_file():
            raise IndexTorn(f"{name} is not a regular file")
        found.append((name, status.st_mtime_ns, status.st_size))
    return Stamp(files=tuple(found))


def size_bytes(folder: Path) -> int:
    """What the folder takes on disk, in bytes; 0 when it does not exist. Sparse files count what they really take."""
    total = 0
    try:
        for entry in folder.iterdir():
            total += entry.lstat().st_blocks * 512
    except (FileNotFoundError, NotADirectoryError):
        pass
    return total
