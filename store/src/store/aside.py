"""Making room for another store: what is there is moved into the store's own folder, and nothing is deleted."""

from __future__ import annotations

import datetime
from pathlib import Path

from store.database import FILE_NAME
from store.lock_file import DIRECTORY
from store.repairing import ASIDE

ORIGIN = "restored.json"
"""In the store's own folder: what the store began with, as whoever put it in place noted."""
_KEPT = frozenset({"lock", "activity", "archiving", "closed", "backing-up", ASIDE})
"""Of the store's own folder: locks that others hold, and what may be a last copy."""


def move_aside(store: Path, why: str, *, but: str) -> Path:
    """Move what is there into the store's own folder, and what that knows about it. The caller holds the `WriterLock`.

    Args:
        store: the directory.
        why: a word for the name of the folder.
        but: what stays in the store's own folder, besides locks and older folders.

    Returns:
        The folder.

    Raises:
        OSError: it cannot be moved; what was not moved yet is where it was.
    """
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = store / DIRECTORY / ASIDE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    taken = sum(entry.name.startswith(f"{now}-{why}") for entry in folder.iterdir())
    aside = folder / (f"{now}-{why}-{taken}" if taken else f"{now}-{why}")
    aside.mkdir(mode=0o700)
    # The database last: until then it is still the store that it was, with indexes that can be made anew.
    entries = [entry for entry in store.iterdir() if entry.name not in {DIRECTORY, "lost+found"}]
    for entry in sorted(entries, key=lambda entry: entry.name.startswith(FILE_NAME)):
        entry.rename(aside / entry.name)
    notes = aside / DIRECTORY
    notes.mkdir(mode=0o700)
    for entry in list((store / DIRECTORY).iterdir()):
        if entry.name not in {*_KEPT, but}:
            entry.rename(notes / entry.name)
    return aside
