"""A small file system of its own whose power can be cut: whatever was not synced is gone.

ext4 on a loop device; the cut is ext4's own shutdown without a flush of its journal, after which nothing more reaches
the disk. Mounted again, the journal is replayed as after a real power loss. What a disk does that confirms a flush it
has not done is not covered. Needs root and loop devices.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125
"""EXT4_IOC_SHUTDOWN of linux/fs/ext4/ext4.h."""
_WITHOUT_FLUSH = struct.pack("I", 2)
"""EXT4_GOING_FLAGS_NOLOGFLUSH."""
_UNMOUNT_LIMIT_S = 20.0


class Volume:
    """A mounted file system, from `__enter__` to `__exit__`; whatever happens in between, nothing stays behind."""

    def __init__(self, directory: Path, *, size_mib: int = 256) -> None:
        """Args: directory: an empty one, for the image and the mount point. size_mib: at most so much is written."""
        self._image = directory / "disk.img"
        self.path = directory / "volume"
        self._size_bytes = size_mib << 20
        self._mounted = False

    def __enter__(self) -> Self:
        with self._image.open("wb") as image:
            image.truncate(self._size_bytes)
        self.path.mkdir()
        try:
            _run("mkfs.ext4", "-q", "-F", str(self._image))
            self._mount()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mounted:
            subprocess.run(["umount", "--lazy", self.path], check=False, capture_output=True)
        self._remove()

    def cut_power(self) -> None:
        """From now on every write fails, and what was not synced before is lost."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _WITHOUT_FLUSH)
        finally:
            os.close(descriptor)

    def start_again(self) -> None:
        """Mount it again. The processes that used it must have ended."""
        deadline_s = time.monotonic() + _UNMOUNT_LIMIT_S
        while (done := subprocess.run(["umount", self.path], check=False, capture_output=True, text=True)).returncode:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{self.path} stays in use: {done.stderr.strip()}")
            time.sleep(0.05)
        self._mounted = False
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop,noatime", str(self._image), str(self.path))
        self._mounted = True

    def _remove(self) -> None:
        self._image.unlink(missing_ok=True)
        self.path.rmdir()


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
