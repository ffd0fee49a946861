"""What could be restored for a wish, the newest state first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backup.bases import Base
from backup.restoring.shipped import Point
from backup.restoring.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Candidate:
    """A state of the archive with the base whose indexes help it, or a base alone."""

    point: Point | None
    base: Base | None

    @property
    def until_s(self) -> float:
        """Everything that was acknowledged before is in it. Seconds since 1970."""
        times = [self.point.made_s] if self.point is not None else []
        if self.base is not None and (self.point is None or reaches(self.point, self.base)):
            times.append(self.base.taken_s)
        return max(times)

    def __str__(self) -> str:
        if self.point is None:
            return f"base {_short(self.base)}"
        archive = f"the archive {self.point.lineage} at transaction {self.point.transaction}"
        return archive if self.base is None else f"{archive}, with the indexes of base {_short(self.base)}"


def candidates(wanted: Wanted, points: Sequence[Point], bases: Sequence[Base]) -> tuple[Candidate, ...]:
    """In the order in which they are tried.

    Args:
        wanted: the wish.
        points: what each lineage can be restored to for it, the newest lineage first.
        bases: all that are at the target.
    """
    if wanted.base:
        return tuple(Candidate(None, base) for base in bases if base.id.startswith(wanted.base))
    usable = [base for base in bases if wanted.moment_s is None or base.taken_s <= wanted.moment_s]
    usable.sort(key=lambda base: base.taken_s, reverse=True)
    with_archive = [Candidate(point, _helper(point, usable)) for point in points]
    alone = [Candidate(None, base) for base in usable]
    # Of two that reach equally far the archive is first: it has what was written while the base was taken.
    ordered = sorted([*with_archive, *alone], key=lambda each: each.until_s, reverse=True)
    return tuple(each for one in ordered for each in (one, *_without_help(one)))


def _without_help(candidate: Candidate) -> tuple[Candidate, ...]:
    """The archive without the base's indexes, should those turn out to be the trouble."""
    both = candidate.point is not None and candidate.base is not None
    return (Candidate(candidate.point, None),) if both else ()


def reaches(point: Point, base: Base) -> bool:
    """Whether a state of the archive has everything that a base has."""
    position = base.manifest.archive if base.manifest is not None else None
    if position is None or position.lineage != point.lineage:
        return False
    return position.transaction <= point.transaction


def _helper(point: Point, newest_first: Sequence[Base]) -> Base | None:
    """The base whose indexes need least to be brought up to the archive's state: of the same history, and not newer."""
    return next((base for base in newest_first if reaches(point, base)), None)


def _short(base: Base | None) -> str:
    return "" if base is None else base.id[:8]
