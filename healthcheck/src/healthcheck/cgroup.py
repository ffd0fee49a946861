"""The memory of this process's control group: what is used, and what the kernel allows.

Works on cgroup v1 and v2, on the host, in a container with its own cgroup namespace or the host's, and nested. The
group is found through /proc/self/cgroup (its path) and /proc/self/mountinfo (where that path can be seen from here).
"""

import os

_V1_LIMIT, _V1_USAGE, _V1_INACTIVE = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
_V2_LIMIT, _V2_USAGE, _V2_INACTIVE = "memory.max", "memory.current", "inactive_file"

# "No limit" of v1 is the largest page-aligned signed 64-bit number; with other page sizes a little less.
_V1_UNLIMITED_BYTES = 1 << 62


class CgroupMemory:
    """Memory of one control group that has a limit.

    Attributes:
        used_bytes: usage less `inactive_file`, the page cache which the kernel gives back before it kills. The same
            is what Kubernetes calls the working set.
        limit_bytes: what the kernel allows the group.
        group: the group's directory as seen from here.
    """

    __slots__ = ("group", "limit_bytes", "used_bytes")

    def __init__(self, used_bytes: int, limit_bytes: int, group: str) -> None:
        self.used_bytes = used_bytes
        self.limit_bytes = limit_bytes
        self.group = group


def cgroup_memory(proc: str = "/proc", root: str = "") -> CgroupMemory | None:
    """The tightest limited group that this process is in, itself or one above it that can be seen.

    A group above may be nearer to its limit, since it is shared with others: the one with the largest share used
    counts.

    Args:
        proc: where procfs is.
        root: put before the mount points which procfs names.

    Returns:
        None when no visible group has a limit, or there are no control groups of memory.
    """
    found = _group(proc, root)
    if found is None:
        return None
    version, top, directory = found
    tightest = None
    while True:
        read = _read_v1(directory) if version == 1 else _read_v2(directory)
        if read is not None and (tightest is None or _share(read) > _share(tightest)):
            tightest = read
        if directory == top or (version == 1 and _text(directory + "/memory.use_hierarchy") == "0"):
            return tightest
        directory = directory.rpartition("/")[0]


def memory_kills(proc: str = "/proc", root: str = "") -> int | None:
    """Processes of this group that the kernel killed for memory, since the group was made.

    Returns:
        None where the kernel does not count them (v1 before Linux 4.13), or without control groups of memory.
    """
    found = _group(proc, root)
    if found is None:
        return None
    version, _, directory = found
    name = "memory.oom_control" if version == 1 else "memory.events"
    for line in (_text(f"{directory}/{name}") or "").splitlines():
        key, _, value = line.partition(" ")
        if key == "oom_kill" and value.isdigit():
            return int(value)
    return None


def _share(memory: CgroupMemory) -> float:
    return memory.used_bytes / memory.limit_bytes


def _group(proc: str, root: str) -> tuple[int, str, str] | None:
    """Version, the top directory that is visible, and the group's own directory."""
    paths = _paths(_text(proc + "/self/cgroup") or "")
    mounts = _mounts(_text(proc + "/self/mountinfo") or "")
    for version in (1, 2):
        if version in paths and version in mounts:
            mounted_root, mount_point = mounts[version]
            top = root + mount_point
            return version, top, _below(top, paths[version], mounted_root)
    return None


def _paths(text: str) -> dict[int, str]:
    """Path of the memory group by version. On a hybrid host both are there, and memory is in version 1."""
    paths = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            paths[2] = path
        elif "memory" in controllers.split(","):
            paths[1] = path
    return paths


def _mounts(text: str) -> dict[int, tuple[str, str]]:
    """By version: which group is mounted, and where. Format: proc(5), /proc/pid/mountinfo."""
    mounts: dict[int, tuple[str, str]] = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup" and "memory" in kind[2].split(","):
            mounts.setdefault(1, (_unescaped(fields[3]), _unescaped(fields[4])))
        elif kind[0] == "cgroup2":
            mounts.setdefault(2, (_unescaped(fields[3]), _unescaped(fields[4])))
    return mounts


def _unescaped(path: str) -> str:
    """Mountinfo writes blank, tab, newline and backslash as three octal digits."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path


def _below(top: str, path: str, mounted_root: str) -> str:
    """The directory of group `path` under the mount of group `mounted_root` at `top`.

    In a container with the host's namespace (v1) both name the container's group, so nothing is left below `top`.
    Where the path leads outside of what is mounted (`/../..`), the top is the nearest that can be seen.
    """
    prefix = mounted_root.rstrip("/")
    if path == prefix or path.startswith(prefix + "/"):
        directory = (top + path[len(prefix) :]).rstrip("/")
        if ".." not in path.split("/") and os.path.isdir(directory):  # noqa: PTH112
            return directory
    return top


def _read_v1(directory: str) -> CgroupMemory | None:
    """One group of v1. `hierarchical_memory_limit` also knows of groups above that cannot be seen from here."""
    used, limit = _number(directory + "/" + _V1_USAGE), _number(directory + "/" + _V1_LIMIT)
    if used is None or limit is None:
        return None
    statistics = _statistics(directory)
    limit = min(limit, statistics.get("hierarchical_memory_limit", limit))
    if limit >= _V1_UNLIMITED_BYTES:
        return None
    return CgroupMemory(max(0, used - statistics.get(_V1_INACTIVE, 0)), max(1, limit), directory)


def _read_v2(directory: str) -> CgroupMemory | None:
    """One group of v2; the root group has no limit file, and "max" means none."""
    used, limit = _number(directory + "/" + _V2_USAGE), _number(directory + "/" + _V2_LIMIT)
    if used is None or limit is None:
        return None
    return CgroupMemory(max(0, used - _statistics(directory).get(_V2_INACTIVE, 0)), max(1, limit), directory)


def _statistics(directory: str) -> dict[str, int]:
    pairs = (line.split(" ") for line in (_text(directory + "/memory.stat") or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _number(path: str) -> int | None:
    text = _text(path)
    return int(text) if text is not None and text.isdigit() else None


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            return file.read().strip()
    except OSError:
        return None
