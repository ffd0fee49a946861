"""Is what lies at the target still what was written there?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from backup import lineage, ltx, records
from backup.bases import Base, find_all, mark, repository
from backup.config import Config
from backup.gateway import LOG
from backup.target import Target
from backup.turn import turn
from backup.words import moment

_DAY_S = 86_400.0
_CLOCK_S = 300.0
"""Clocks of two machines may differ so much."""
_SHARES = 7
"""Each day another seventh of the bases' data is read back."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was found; nothing, when all is well."""

    problems: tuple[str, ...]
    archive_gap: str
    """Why the present lineage cannot be restored to its end; empty when it can."""
    bases: int
    read: str
    """Share of the bases' data that was read back."""
    seconds: float
    damaged: bool
    """Whether data of bases is missing or damaged."""
    packs: tuple[str, ...]
    """Files of the repository that are damaged."""


def check(config: Config, target: Target, scratch: Path, *, read_all: bool = False, wait_s: float = 0.0) -> Check:
    """Look at bases, manifests and archive. Nothing is removed but data that no base needs, when nothing is wrong.

    Args:
        config: the configuration.
        target: as opened from it.
        scratch: for restic's cache.
        read_all: read all data of the bases back, not only today's share.
        wait_s: how long to wait for a base or a removal.

    Raises:
        BackupError: it could not be looked.
    """
    started_s = time.monotonic()
    with turn(config.store, "a check", wait_s):
        target.check()
        at = repository(target, scratch)
        bases = find_all(target, at, mend=True)
        share = "100%" if read_all else _share_of(time.time())
        problems = _of_bases(bases)
        if not bases and (lost := records.read_all(target, records.BASES)):
            problems.append(f"{len(lost)} bases were made, and none is there any more: their repository was removed")
        damage = at.check(share) if bases else None
        if damage is not None:
            problems.append(damage.words)
        elif bases:
            at.prune()
        problems += _lacking(target, bases, at.lacking() if damage is not None else ())
        gap = _archive_gap(config, target)
        problems += [gap] if gap else []
    return Check(
        problems=tuple(problems),
        archive_gap=gap,
        bases=len(bases),
        read=share,
        seconds=time.monotonic() - started_s,
        damaged=damage is not None,
        packs=() if damage is None else damage.packs,
    )


def archive_gap(target: Target, known: str) -> str:
    """Why a lineage cannot be restored to its end; empty when it can, as far as names and sizes tell."""
    found = (ltx.piece(entry.path, entry.bytes) for entry in target.entries(f"{LOG}/{known}", recursive=True))
    gap = ltx.gap([each for each in found if each is not None])
    return f"the archive {known}: {gap}" if gap else ""


def _lacking(target: Target, bases: tuple[Base, ...], beginnings: tuple[str, ...]) -> list[str]:
    """Note of each base whether data of it is gone, and name those."""
    found = []
    for base in bases:
        lacking = base.id.startswith(beginnings) if beginnings else False
        if base.manifest is not None and base.manifest.lacking != lacking:
            mark(target, base.id, lacking=lacking)
        if lacking:
            found.append(
                f"base {base.id[:8]} of {moment(base.taken_s)} lacks data: it goes when a later one was verified"
            )
    return found


def _archive_gap(config: Config, target: Target) -> str:
    known = lineage.read(config.store)
    if known is None:
        return ""
    record = records.read(target, records.LINEAGES, known.id)
    if record is None:
        return f"the archive {known.id}: its record is not there, or damaged"
    # Before its first snapshot has arrived, a lineage has nothing to be restored.
    return archive_gap(target, known.id) if record.get("whole_s") is not None else ""


def _of_bases(bases: tuple[Base, ...]) -> list[str]:
    unread = [f"the manifest of base {base.id[:8]} cannot be read" for base in bases if base.manifest is None]
    mended = [
        f"the manifest of base {base.id[:8]} was damaged, and was written again from the base: the target, or who "
        "wrote there, breaks files"
        for base in bases
        if base.mended
    ]
    ahead_s = time.time() + _CLOCK_S
    return [*unread, *mended] + [
        f"base {base.id[:8]} is from the future ({moment(base.taken_s)}): the clock was set back since, or was wrong "
        "then. `latest` takes it for the newest until that time is reached: name a base instead, or correct the clock"
        for base in bases
        if base.taken_s > ahead_s
    ]


def _share_of(now_s: float) -> str:
    return f"{int(now_s // _DAY_S) % _SHARES + 1}/{_SHARES}"
