"""Keeps the checkout's `Pulumi.<stack>.yaml` as the user wrote them, though Pulumi wants to add its salt.

With a passphrase, Pulumi writes `encryptionsalt` into the settings file of every stack it touches, and rewrites the
file's layout on the way. The salt is in the stack's state as well, and Pulumi reads it from there
(PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER), so the file does not need it: every clone has a clean tree and sees the
same secrets.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tools.locations import CHECKOUT

SECRET_KEYS = ("encryptionsalt", "encryptedkey")
_SECRET_LINE = re.compile(rf"^(?:{'|'.join(SECRET_KEYS)}):.*\n?", re.MULTILINE)


@contextmanager
def kept(checkout: Path = CHECKOUT) -> Iterator[None]:
    """Puts the settings files back when Pulumi changed nothing in them but its salt.

    What the user changed meanwhile (`pulumi config set`, an editor) stays. A file that held a salt before, because its
    owner committed it, is not touched. Leftovers of a killed run are cleared first, as far as Git knows better.
    """
    before = {path: _clear_leftovers(path) for path in _files(checkout)}
    try:
        yield
    finally:
        for path in _files(checkout):
            restored = without_salt(before.get(path, b""), path.read_bytes())
            if restored == b"" and path not in before:
                path.unlink()  # Pulumi made it for its salt alone
            elif restored is not None:
                _write(path, restored)


def without_salt(before: bytes, after: bytes) -> bytes | None:
    """What should be in a file that held `before` and now holds `after`; None if it is right as it is."""
    if before == after or _has_salt(before) or not _has_salt(after):
        return None
    if before and _meaning(before) == _meaning(after):
        return before
    return _SECRET_LINE.sub("", after.decode()).encode()


def _files(checkout: Path) -> list[Path]:
    return sorted(checkout.glob("Pulumi.*.yaml"))


def _clear_leftovers(path: Path) -> bytes:
    content = path.read_bytes()
    if not _has_salt(content):
        return content
    committed = subprocess.run(
        ["git", "show", f"HEAD:./{path.name}"], cwd=path.parent, capture_output=True, check=False
    )  # in an unpacked archive there is no Git, and the salt stays
    if committed.returncode != 0:
        return content
    restored = without_salt(committed.stdout, content)
    if restored is None:
        return content
    _write(path, restored)
    return restored


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.chmod(path.stat().st_mode & 0o777)
    fresh.replace(path)


def _has_salt(content: bytes) -> bool:
    return _SECRET_LINE.search(content.decode()) is not None


def _meaning(content: bytes) -> dict[str, Any]:
    parsed = yaml.safe_load(content) or {}
    return {key: value for key, value in parsed.items() if key not in SECRET_KEYS}
