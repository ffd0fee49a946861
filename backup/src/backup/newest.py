"""The newest base as its maker noted it in the store: what the daemon shows, and how it learns of others' bases."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from store.lock_file import DIRECTORY

_NAME = "base.json"


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


def note(store: Path, base: NewestBase) -> None:
    """Write it down.

    Raises:
        OSError: it cannot be written.
    """
    file = store / DIRECTORY / _NAME
    temporary = file.with_name(f"{file.name}.{os.getpid()}.new")
    temporary.write_text(json.dumps(asdict(base)) + "\n")
    temporary.replace(file)


def read(store: Path, place: str) -> NewestBase | None:
    """What was noted last; None when nothing was, or of another target."""
    try:
        found = NewestBase(**json.loads((store / DIRECTORY / _NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.place == place else None
