"""The disk under the store: how full its file system is, and how much the store itself takes."""

import os
import time

_BLOCK_BYTES = 512
"""Unit of `st_blocks`, whatever the file system's own block size is."""
_TYPE_MASK, _DIRECTORY = 0o170000, 0o040000
"""As in `stat`; constants of Linux."""


class Disk:
    """The file system of the store, as a user who is not root sees it: root's reserve counts as used up.

    Attributes:
        used_bytes: what is taken.
        usable_bytes: what is taken and what is still to be had.
        used_inodes: files, directories and links that exist.
        usable_inodes: existing and still possible; 0 where the file system has no fixed number.
    """

    __slots__ = ("usable_bytes", "usable_inodes", "used_bytes", "used_inodes")

    def __init__(self, used_bytes: int, usable_bytes: int, used_inodes: int, usable_inodes: int) -> None:
        self.used_bytes = used_bytes
        self.usable_bytes = usable_bytes
        self.used_inodes = used_inodes
        self.usable_inodes = usable_inodes


def filesystem(path: str) -> Disk:
    """Measure the file system that holds the path.

    Raises:
        OSError: the path does not exist or cannot be reached.
    """
    found = os.statvfs(path)
    used = found.f_blocks - found.f_bfree
    inodes = found.f_files - found.f_ffree
    return Disk(
        used_bytes=used * found.f_frsize,
        usable_bytes=(used + found.f_bavail) * found.f_frsize,
        used_inodes=inodes,
        usable_inodes=inodes + found.f_favail if found.f_files else 0,
    )


def allocated_bytes(path: str, deadline_s: float | None = None) -> int:
    """What the files below the path take on disk, in bytes; holes do not count, hard links count once.

    What vanishes during the walk is left out, and so are other file systems mounted below.

    Args:
        path: a directory.
        deadline_s: `time.monotonic()` at which to give up.

    Raises:
        TimeoutError: the deadline has passed.
        OSError: the path itself cannot be read.
    """
    top = os.stat(path)  # noqa: PTH116
    total = top.st_blocks
    seen: set[int] = set()
    waiting = [path]
    while waiting:
        if deadline_s is not None and time.monotonic() > deadline_s:
            raise TimeoutError(f"the walk through {path} took too long")
        directory = waiting.pop()
        try:
            entries = list(os.scandir(directory))
        except FileNotFoundError:
            if directory == path:
                raise
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if status.st_dev != top.st_dev:
                continue
            if status.st_mode & _TYPE_MASK == _DIRECTORY:
                waiting.append(entry.path)
            elif status.st_nlink > 1:
                if status.st_ino in seen:
                    continue
                seen.add(status.st_ino)
            total += status.st_blocks
    return total * _BLOCK_BYTES
