"""What a process that was killed leaves in the repository of a target that names a file before it is whole (SFTP).

restic stops at such files for ever, although nothing counted on them yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from backup.target import BASES, Target

_LOCKS, _SNAPSHOTS = f"{BASES}/locks", f"{BASES}/snapshots"
_MAKING = ("config", "keys/", "locks/")


def clear(target: Target, recorded: Collection[str]) -> None:
    """Remove locks and snapshots of which half was written. Nobody else changes the repository now.

    Args:
        target: where they are.
        recorded: snapshots that have a manifest: those were whole once, and are not removed.

    Raises:
        BackupError: they cannot be read or removed.
    """
    for folder in (_SNAPSHOTS, _LOCKS):
        for entry in target.entries(folder, sealed=False):
            path = f"{folder}/{entry.path}"
            if entry.path not in recorded and _is_half(target, path, entry.path):
                target.remove(path, sealed=False)


def unmake(target: Target) -> bool:
    """Remove a repository whose making was killed, so that it can be made; whether there was one.

    It has neither data nor snapshots nor indexes: nothing is lost.

    Raises:
        BackupError: it cannot be removed.
    """
    files = [entry.path for entry in target.entries(BASES, recursive=True, sealed=False)]
    if not files or not all(path.startswith(_MAKING) for path in files):
        return False
    for path in files:
        target.remove(f"{BASES}/{path}", sealed=False)
    return True


def _is_half(target: Target, path: str, name: str) -> bool:
    """A file of restic has for its name the hash of what is in it."""
    content = target.read(path, sealed=False)
    return content is not None and hashlib.sha256(content).hexdigest() != name
