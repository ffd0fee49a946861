"""The programs that go into the image `backup`, in one folder that its builds take as a named context.

The folder is named by what the programs are made from, the same for every platform: the name, known before anything is
fetched, goes into the image's tag. Inside, one folder per processor (`amd64`), as BuildKit names it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from tools import go_build, recipe
from tools.binaries import Found
from tools.host import Host
from tools.locations import Locations
from tools.versions import BACKUP


def target(where: Locations) -> Path:
    """The folder, whether it is there or not."""
    keys = "\0".join(recipe.load(name).key_of_any_host() for tool in BACKUP for name in tool.recipes)
    return where.backup_tools / hashlib.sha256(keys.encode()).hexdigest()[:12]


def is_complete(where: Locations, containers: Host) -> bool:
    """Whether the programs are there for that processor."""
    return (target(where) / containers.go_arch).is_dir()


def lay_out(found: Mapping[str, Found], where: Locations, containers: Host) -> Path:
    """Brings the programs into the folder (hard links: no second copy on the disk) and returns it."""
    folder = target(where)
    if is_complete(where, containers):
        return folder
    with go_build.only_builder(where, lambda: None):
        partial = folder / f".{containers.go_arch}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for tool in BACKUP:
            for name in tool.binaries:
                (partial / name).hardlink_to(found[tool.name].file(name))
        if not is_complete(where, containers):
            partial.replace(folder / containers.go_arch)
    return folder
