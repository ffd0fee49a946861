"""A control group with a memory limit, as a container has one: v1 or v2, whichever the machine has."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


class NoGroups(Exception):  # noqa: N818 -- named after the state
    """This user may not make one here."""


class MemoryGroup:
    """Made at once, removed by `remove` when its processes have ended."""

    def __init__(self, limit_bytes: int) -> None:
        """Raises: NoGroups."""
        version1 = (_ROOT / "memory").is_dir()
        self.path = (_ROOT / "memory" if version1 else _ROOT) / f"cortex-fault-{os.getpid()}-{secrets.token_hex(3)}"
        try:
            self.path.mkdir()
        except OSError as error:
            raise NoGroups(f"no control group can be made below {self.path.parent}: {error.strerror}") from error
        try:
            (self.path / ("memory.limit_in_bytes" if version1 else "memory.max")).write_text(str(limit_bytes))
            if not version1:  # the kernel would swap instead of killing
                with contextlib.suppress(OSError):
                    (self.path / "memory.swap.max").write_text("0")
        except OSError as error:
            self.path.rmdir()
            raise NoGroups(f"{self.path.parent} gives its groups no memory limit: {error.strerror}") from error

    def remove(self, limit_s: float = 10.0) -> None:
        """Remove it; a group stays busy for a moment after its last process."""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                self.path.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
