"""Real texts that are at hand on the machine: Debian's package descriptions, else Python's own docstrings."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sysconfig
from pathlib import Path


def texts(count: int) -> list[str]:
    """`count` different texts, spread over all there are; always the same ones on the same machine."""
    found = sorted(set(_descriptions() or _docstrings()))
    step = max(1, len(found) // count)
    return found[::step][:count]


def _descriptions() -> list[str]:
    if shutil.which("apt-cache") is None:
        return []
    done = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    return [line.partition(": ")[2] for line in lines if line.startswith(("Description: ", "Description-en: "))]


def _docstrings() -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
        texts_of = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented))
        found += [text for text in texts_of if text]
    return found
