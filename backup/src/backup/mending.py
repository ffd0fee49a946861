"""A repository with damaged data: the next base brings again what the store still has.

restic saves no data that its index knows. Without this, what rotted once would be missing in every later base too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backup.errors import Damaged
from backup.repository import Repository
from backup.target import Target

KEPT = "damaged"
"""Where damaged files of data are kept, as they were found."""
MOST_PACKS = 64
"""More is no accident of a disk's block."""


def mend(at: Repository, target: Target, packs: tuple[str, ...], work: Path, warn: Callable[[str], None]) -> None:
    """Have the index know only what is there and can be read.

    Killed at any moment, the next base does it again.

    Args:
        at: the repository.
        target: where it is.
        packs: its files of data that are damaged, from the last check.
        work: a folder to work in.
        warn: told of what is done.

    Raises:
        Damaged: there are so many that the target itself must be broken.
        BackupError: it cannot be done.
    """
    if len(packs) > MOST_PACKS:
        raise Damaged(
            f"{len(packs)} files of data at {target.words} are damaged: do not trust it any more. Give another target "
            "(`backup:`), and keep this one until the new one has bases and was drilled."
        )
    folder = work / KEPT
    folder.mkdir()
    at.take_out(packs, folder)
    for file in folder.iterdir():
        target.write(f"{KEPT}/{file.name}", file.read_bytes())
        file.unlink()
    at.mend()
    warn(
        "the last check found damaged data of bases: the index was made anew from what is whole, and what is missing "
        f"is saved again with this base. Damaged files are kept in {KEPT}/."
    )
