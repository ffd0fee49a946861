"""Another release of the project: a copy of this checkout with changes, from which a stack is then made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.images import ROOT
from tests.deploy.deployment import Deployment

_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "tests", "docs", "*.egg-info")


@contextmanager
def released(deployment: Deployment, folder: Path, added: Mapping[str, str]) -> Iterator[None]:
    """Have the stack made by another release until the block ends.

    Args:
        deployment: The stack.
        folder: New; the release is made in it.
        added: Text to append to files, by their paths in the checkout.
    """
    shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
    for path, text in added.items():
        file = folder / path
        file.write_text(file.read_text() + text)
    # What the build may see is listed beside each Dockerfile.
    kept, deployment.root = deployment.root, folder
    try:
        yield
    finally:
        deployment.root = kept
