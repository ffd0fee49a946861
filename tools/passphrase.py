"""The passphrase that encrypts the stacks' secrets: made once, readable by its owner only, never overwritten."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from tools.errors import ToolError
from tools.locations import private_dir

ENTROPY_BYTES = 32


def ensure(path: Path) -> Path:
    """Creates the file with a random passphrase unless it exists, and returns its path.

    Two processes at once agree on one passphrase: the file appears complete, by a hard link that fails if it exists.

    Raises:
        ToolError: It exists but is empty or others may read it.
    """
    if not path.exists():
        private_dir(path.parent)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(ENTROPY_BYTES))
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    status = path.stat()
    if status.st_size == 0:
        raise ToolError(f"the passphrase file {path} is empty; restore it from a backup: the stacks' secrets need it")
    if status.st_mode & 0o077:
        raise ToolError(f"the passphrase file {path} can be read by others; `chmod 600 {path}`")
    return path
