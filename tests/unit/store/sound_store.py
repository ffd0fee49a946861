"""The store of `make_sound_store`, and reading stores back with the real Chroma."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from store import prepare

HERE = Path(__file__).parent
Contents = dict[str, dict[str, dict[str, Any]]]
"""Collections with their database, ids, and what a record has."""


def make(root: Path) -> None:
    for arguments in (["tables"], []):
        command = [sys.executable, HERE / "make_sound_store.py", root, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        if arguments:
            prepare(root / "store")


def expected(root: Path) -> Contents:
    """What is in the store that `make` made."""
    return dict(json.loads((root / "expected.json").read_text()))


def read(*paths: Path) -> dict[str, Contents]:
    """What Chroma finds in each store; it starts, applies the log, and answers queries."""
    command = [sys.executable, HERE / "read_stores.py", *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240)
    return dict(json.loads(done.stdout))


def differences(found: Contents, expected: Contents) -> list[str]:
    """What Chroma says otherwise than it was written, in words; embeddings are compared one by one."""
    told = [f"collections {sorted(found.keys() ^ expected.keys())}"] if found.keys() != expected.keys() else []
    for name in found.keys() & expected.keys():
        if isinstance(found[name], str):
            told.append(f"{name}: {found[name]}")
            continue
        for id_ in found[name].keys() | expected[name].keys():
            got, wanted = found[name].get(id_), expected[name].get(id_)
            if got is None or wanted is None:
                told.append(f"{name}/{id_}: {'missing' if got is None else 'extra'}")
            elif not _same(got, wanted):
                told.append(f"{name}/{id_}: {got} instead of {wanted}")
    return told


def _same(got: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if any(got[key] != wanted[key] for key in ("document", "metadata")):
        return False
    # In space cosine Chroma returns the stored direction times the length, rounded to 32 bits.
    return math.dist(got["vector"], wanted["vector"]) <= 1e-6 * math.hypot(*wanted["vector"])
