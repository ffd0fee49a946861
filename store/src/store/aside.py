"""Making room for another store: what is there is moved into the store's own folder, and nothing is deleted."""

from __future__ import annotations

import datetime
from pathlib import Path

from store.database import FILE_NAME, database_path
from store.lock_file import DIRECTORY
from store.repairing import ASIDE

ORIGIN = "restored.json"
"""In the store's own folder: what the store began with, as whoever put it in place noted."""
_REPLACING = "replacing"
"""In the store's own folder while another store is put in its place: where the old one went."""
_KEPT = frozenset({"lock", "activity", "archiving", "closed", "backing-up", ASIDE, _REPLACING})
"""Of the store's own folder: locks that others hold, and what may be a last copy."""


def move_aside(store: Path, why: str, *, but: str) -> Path:
    """Move what is there into the store's own folder, and what that knows about it. The caller holds the `WriterLock`.

    From here until `replaced` says otherwise a killed caller is told by `interrupted`.

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
    (store / DIRECTORY / _REPLACING).write_text(f"{aside}\n")
    # The database last: until then it is still the store that it was, with indexes that can be made anew. Before its
    # write-ahead log: without that it would be an older store, and with a server on it the newer rows were lost.
    entries = [entry for entry in store.iterdir() if entry.name not in {DIRECTORY, "lost+found"}]
    for entry in sorted(entries, key=lambda entry: (entry.name.startswith(FILE_NAME), entry.name)):
        entry.rename(aside / entry.name)
    notes = aside / DIRECTORY
    notes.mkdir(mode=0o700)
    for entry in list((store / DIRECTORY).iterdir()):
        if entry.name not in {*_KEPT, but}:
            entry.rename(notes / entry.name)
    return aside


def replaced(store: Path) -> None:
    """The other store is in its place, or nothing had been there."""
    (store / DIRECTORY / _REPLACING).unlink(missing_ok=True)


def interrupted(store: Path) -> str:
    """Why there is no store although there was one: a replacement was killed half way; empty when none was.

    An empty store must not be begun then: it would look as if everything was lost.
    """
    try:
        aside = (store / DIRECTORY / _REPLACING).read_text().strip()
    except OSError:
        return ""
    if database_path(store).exists():
        return ""
    return (
        f"a restore or an import was killed while it replaced the store: what was there is in {aside}. Do it again, or "
        f"move the files of that folder back to {store}"
    )
