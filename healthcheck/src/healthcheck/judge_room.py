"""Is there room left? Judgements of memory, disk, inodes and open files, now and by their trend. Pure.

Each is degraded, never failing: a server at 86 % of its memory serves every request.
"""

from __future__ import annotations

from healthcheck.judgement import Judgement, Verdict
from healthcheck.observation import DiskView, MemoryView, OpenFiles
from healthcheck.units import human_bytes, percent

MEMORY_HORIZON_MIN = 30.0
"""A trend that reaches the limit sooner is told: about the time that it takes to notice and to raise a limit."""
DISK_HORIZON_MIN = 240.0
"""Longer than memory's: a disk that is full cannot be made right by a restart."""
OPEN_FILES_PERCENT = 80.0
"""Chroma needs 4 for each index it loads, and fails requests one by one when there are none left."""


def share(name: str, value: float, limit_percent: float, message: str, advice: str, *, crossed: bool) -> Judgement:
    """A share in percent: ok with the figures, degraded with the figures and what to do."""
    if crossed:
        return Judgement(name, value, limit_percent, "%", Verdict.DEGRADED, f"{message}; {advice}")
    return Judgement(name, value, limit_percent, "%", Verdict.OK, message)


def unmeasured(name: str, limit: float | None, unit: str, why: str) -> Judgement:
    """Something that could not be measured."""
    return Judgement(name, None, limit, unit, Verdict.UNKNOWN, f"cannot be measured: {why or 'not looked at yet'}")


def memory_percent(memory: MemoryView) -> float:
    """Used share of the container's limit, or of the host's memory where there is none."""
    return percent(memory.used_bytes, memory.limit_bytes)


def judge_memory(memory: MemoryView, kills: int | None, limit_percent: float, *, crossed: bool) -> Judgement:
    """Memory in use now."""
    whole = "the container's limit" if memory.scope == "container" else "the host's memory (no limit is set)"
    message = f"{human_bytes(memory.used_bytes)} of {human_bytes(memory.limit_bytes)}, {whole}"
    if kills:
        message += f"; the kernel has killed {kills} processes of this container for memory so far"
    advice = "raise the memory limit, or store less"
    return share("memory", memory_percent(memory), limit_percent, message, advice, crossed=crossed)


def disk_percent(disk: DiskView) -> float:
    """Used share of what an ordinary user can use; a file system without any room is full."""
    return percent(disk.used_bytes, disk.usable_bytes) if disk.usable_bytes else 100.0


def worse_disk_percent(disk: DiskView, store_bytes: int | None, planned_bytes: int | None) -> float:
    """The worse of two shares: the file system's, and the store's own of its planned size.

    A Docker volume has no quota, so a store far over its plan may lie on a file system with much room, and a store
    within its plan on one that others have filled.
    """
    value = disk_percent(disk)
    if store_bytes is None or planned_bytes is None:
        return value
    return max(value, percent(store_bytes, planned_bytes))


def judge_disk(
    disk: DiskView, store_bytes: int | None, planned_bytes: int | None, limit_percent: float, *, crossed: bool
) -> Judgement:
    """Disk in use now.

    Args:
        disk: the file system.
        store_bytes: what the store takes; None when it is not known yet.
        planned_bytes: the planned size; None without a plan.
        limit_percent: from which share on it is degraded.
        crossed: the threshold's state for `worse_disk_percent`.
    """
    used = disk_percent(disk)
    message = f"file system {human_bytes(disk.used_bytes)} of {human_bytes(disk.usable_bytes)}"
    advice = "free or add room on it before it is full, which would stop Chroma"
    if store_bytes is not None and planned_bytes is not None:
        planned = percent(store_bytes, planned_bytes)
        message += f" ({used:.1f} %), store {human_bytes(store_bytes)} of {human_bytes(planned_bytes)} planned"
        message += f" ({planned:.1f} %)"
        if planned >= used:
            advice = "the store outgrows its plan: raise the sizing inputs"
    value = worse_disk_percent(disk, store_bytes, planned_bytes)
    return share("disk", value, limit_percent, message, advice, crossed=crossed)


def judge_inodes(disk: DiskView, limit_percent: float, *, crossed: bool) -> Judgement:
    """Used share of the file system's inodes."""
    if not disk.usable_inodes:
        return Judgement("inodes", 0.0, limit_percent, "%", Verdict.OK, "the file system has no fixed number")
    message = f"{disk.used_inodes:,} of {disk.usable_inodes:,}"
    advice = "remove small files from the store's file system"
    return share("inodes", inodes_percent(disk), limit_percent, message, advice, crossed=crossed)


def inodes_percent(disk: DiskView) -> float:
    """0 where the file system has no fixed number."""
    return percent(disk.used_inodes, disk.usable_inodes) if disk.usable_inodes else 0.0


def open_files_percent(files: OpenFiles) -> float:
    """Used share of the server's soft limit."""
    return percent(files.used, files.limit) if files.limit > 0 else 100.0


def judge_open_files(files: OpenFiles, *, crossed: bool) -> Judgement:
    """File descriptors of the server."""
    message = f"{files.used:,} of {files.limit:,}"
    advice = "raise the container's nofile limit, or use fewer collections (4 files each)"
    return share("open_files", open_files_percent(files), OPEN_FILES_PERCENT, message, advice, crossed=crossed)


def judge_trend(name: str, what: str, time_to_s: float | None, horizon_min: float, *, crossed: bool) -> Judgement:
    """How long until there is no room left, if it goes on as in the last ten minutes. Value: minutes."""
    if time_to_s is None:
        return Judgement(name, None, horizon_min, "min", Verdict.OK, "not heading for its limit")
    minutes = time_to_s / 60
    message = f"{what} in {_duration(minutes)} if it goes on as in the last ten minutes"
    verdict = Verdict.DEGRADED if crossed else Verdict.OK
    return Judgement(name, minutes, horizon_min, "min", verdict, message)


def _duration(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h" if minutes < 2880 else "days"
