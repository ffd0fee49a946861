"""What the commands note in the store for the daemon beside them: the newest base, the last check."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from store.lock_file import DIRECTORY

_BASE, _CHECK = "base.json", "check.json"


@dataclass(frozen=True, slots=True)
class NewestBase:
    """A few facts of it."""

    id: str
    taken_s: float
    bytes: int
    added_bytes: int
    records: int
    seconds: float
    """From the copy's begin to the end of the save."""
    place: str
    """The target, in words: a base elsewhere does not count."""


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What it found; no problems when all is well."""

    ended_s: float
    problems: tuple[str, ...]
    archive_gap: str
    place: str
    damaged: bool = False
    """Whether data of bases is missing or damaged."""
    packs: tuple[str, ...] = ()
    """Files of the repository that are damaged."""


def note_base(store: Path, base: NewestBase) -> None:
    """Write it down.

    Raises:
        OSError: it cannot be written.
    """
    _write(store / DIRECTORY / _BASE, asdict(base))


def newest_base(store: Path, place: str) -> NewestBase | None:
    """What was noted last; None when nothing was, or of another target."""
    try:
        found = NewestBase(**_read(store / DIRECTORY / _BASE))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.place == place else None


def note_check(store: Path, check: LastCheck) -> None:
    """Write it down.

    Raises:
        OSError: it cannot be written.
    """
    _write(store / DIRECTORY / _CHECK, asdict(check))


def last_check(store: Path, place: str) -> LastCheck | None:
    """What was noted last; None when nothing was, or of another target."""
    try:
        told = _read(store / DIRECTORY / _CHECK)
        found = LastCheck(**{**told, "problems": tuple(told["problems"]), "packs": tuple(told["packs"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if found.place == place else None


def _write(file: Path, content: dict[str, Any]) -> None:
    temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
    temporary.write_text(json.dumps(content) + "\n")
    temporary.replace(file)


def _read(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text())
    return found if isinstance(found, dict) else {}
