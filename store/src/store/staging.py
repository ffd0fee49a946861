"""Making a store appear at once: its files under another name until all of them are on disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from store import database
from store.catalog import is_index_folder
from store.errors import StoreError, StoreReadOnly, TargetNotEmpty
from store.lock_file import DIRECTORY

_NAME = ".partial"
_IGNORED = frozenset({"lost+found", DIRECTORY, _NAME})
"""None of it is data."""


@contextlib.contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A directory to fill; at the end of the block the target holds what is in it. On an error nothing is left.

    A target that does not exist is made by one rename. In one that exists (a volume's mount point) the files are
    moved up one by one, `chroma.sqlite3` last: without it no store is there. What a killed copy left is removed by
    the next one to the same target.

    Raises:
        TargetNotEmpty: the target holds something.
        StoreReadOnly: it cannot be written.
    """
    target = Path(target)
    exists = target.exists()
    stage = target / _NAME if exists else target.with_name(f".{target.name}{_NAME}")
    try:
        if exists:
            _check_empty(target)
        stage.mkdir(mode=0o700, parents=False, exist_ok=True)
        held = os.open(stage, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    except OSError as error:
        raise StoreReadOnly(f"{stage} cannot be made ({error.strerror}): correct the path or its modes.") from error
    try:
        _take(held, target)
        _clear(stage)
        if exists:
            _clear_moved(target)
        try:
            yield stage
            _sync_all(stage)
            _publish(stage, target, exists=exists)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            if exists and not database.database_path(target).exists():
                _clear_moved(target)
            raise
    finally:
        os.close(held)


def is_empty(target: Path) -> bool:
    """Whether a directory holds nothing that a copy would be written over."""
    try:
        _check_empty(target)
    except TargetNotEmpty:
        return False
    return True


def copy_file(source: Path, target: Path) -> None:
    """Copy content and mode, and have it on disk."""
    shutil.copyfile(source, target, follow_symlinks=False)
    shutil.copymode(source, target)
    sync(target)


def give_to_owner_of(source: Path, stage: Path) -> None:
    """As root: let what was made belong to who owns the source, who will run the server on it."""
    if os.geteuid() != 0:
        return
    status = source.stat()
    for entry in (stage, *stage.rglob("*")):
        os.chown(entry, status.st_uid, status.st_gid, follow_symlinks=False)


def sync(path: Path) -> None:
    """Have a file or a directory on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_empty(target: Path) -> None:
    if not target.is_dir():
        raise TargetNotEmpty(f"{target} is there already, and is no directory: name one that is new or empty.")
    found = {entry.name for entry in target.iterdir()} - _IGNORED
    if found and not (_unpublished(target) and all(is_index_folder(target / name) for name in found)):
        raise TargetNotEmpty(
            f"{target} is not empty ({', '.join(sorted(found)[:3])}): name a directory that is new or empty. A store "
            "is never written over."
        )


def _unpublished(target: Path) -> bool:
    """Whether a killed copy had begun to move its files here."""
    return (target / _NAME).is_dir() and not database.database_path(target).exists()


def _take(descriptor: int, target: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StoreError(f"another process is writing a copy to {target} now: wait for it, or name another.") from None


def _clear(stage: Path) -> None:
    for entry in stage.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _clear_moved(target: Path) -> None:
    for entry in target.iterdir():
        if is_index_folder(entry):
            shutil.rmtree(entry)


def _sync_all(stage: Path) -> None:
    for directory in (stage, *(entry for entry in stage.rglob("*") if entry.is_dir())):
        sync(directory)


def _publish(stage: Path, target: Path, *, exists: bool) -> None:
    if not exists:
        stage.rename(target)
        sync(target.parent)
        return
    last = database.database_path(stage)
    for entry in stage.iterdir():
        if entry != last:
            entry.rename(target / entry.name)
    sync(target)
    last.rename(database.database_path(target))
    stage.rmdir()
    sync(target)
