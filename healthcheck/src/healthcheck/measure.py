"""What is there: memory, disk and the store's own size. No judgement."""

import os

from healthcheck.cgroup import CgroupMemory, cgroup_memory
from healthcheck.disk import Disk, allocated_bytes, filesystem

__all__ = ["CgroupMemory", "Disk", "Memory", "allocated_bytes", "cgroup_memory", "filesystem", "memory"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Memory:
    """Used and available in all, in bytes, and of what: `container` (a control group's limit) or `host`."""

    __slots__ = ("limit_bytes", "scope", "used_bytes")

    def __init__(self, used_bytes: int, limit_bytes: int, scope: str) -> None:
        self.used_bytes = used_bytes
        self.limit_bytes = limit_bytes
        self.scope = scope


def memory(
    proc: str = "/proc",
    root: str = "",
    host: "Callable[[], tuple[int, int]] | None" = None,
    physical_bytes: int | None = None,
) -> Memory:
    """The memory that this process and its like may use: the control group's, or the host's where none has a limit.

    Args:
        proc: where procfs is.
        root: put before the mount points of control groups.
        host: used and total memory of the host in bytes; psutil's by default, imported only then.
        physical_bytes: memory of the machine. A limit above it limits nothing.
    """
    group = cgroup_memory(proc, root)
    if physical_bytes is None:
        physical_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if group is not None and group.limit_bytes < physical_bytes:
        return Memory(group.used_bytes, group.limit_bytes, "container")
    used_bytes, total_bytes = (host or _host)()
    return Memory(used_bytes, total_bytes, "host")


def _host() -> tuple[int, int]:
    import psutil  # noqa: PLC0415  (costs more than the whole probe, and only an unlimited container needs it)

    found = psutil.virtual_memory()
    return found.total - found.available, found.total
