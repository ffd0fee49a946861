"""From a folder to an open store: schema, preparation, temporary files, Chroma. The writer lock is already held."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import store
from cortex_api.embedded_storage import EmbeddedStorage
from cortex_api.guard_state import GuardState
from cortex_api.logs import get_logger
from cortex_api.settings import Settings

_log = get_logger(__name__)
_SCHEMA_TIMEOUT_S = 120
_DATABASE = "chroma.sqlite3"


def use_temporary_folder(path: Path) -> Path:
    """Let SQLite spill to the store's own volume: /tmp is memory, and small. Before Chroma is imported.

    What a killed process left there is removed.
    """
    folder = path / ".cortex" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.is_file():
            left.unlink(missing_ok=True)
    os.environ["SQLITE_TMPDIR"] = os.environ["TMPDIR"] = str(folder)
    return folder


def open_store(settings: Settings) -> EmbeddedStorage:
    """Open the store; without a guard, which has done it, prepare it before its first row.

    Raises:
        store.StoreError: it is not usable; the message says why.
    """
    path = settings.store_path
    if settings.guarded:
        return EmbeddedStorage(path, settings.max_collections, GuardState(settings.health_state_path).check_writable)
    use_temporary_folder(path)
    if not (path / _DATABASE).exists():
        _create_schema(path)
    preparation = store.prepare(path)
    _log.info("store.prepared", path=str(path), changed=list(preparation.changed))
    return EmbeddedStorage(path, settings.max_collections)


def _create_schema(path: Path) -> None:
    """Chroma's tables, made in a child: here, its connections would stay open while the store is prepared."""
    done = subprocess.run(
        [sys.executable, "-m", "cortex_api.schema", str(path)],
        capture_output=True,
        text=True,
        timeout=_SCHEMA_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise store.StoreError(f"Chroma could not create its tables in {path}: {done.stderr.strip()[-1000:]}")
