"""Which file is used for each tool, and where it came from: PATH, the vendor, or a build on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import recipe
from tools.host import Host
from tools.locations import Locations
from tools.versions import Tool

ON_PATH = "PATH"
VENDOR = "vendor"
BUILT = "built here"


@dataclass(frozen=True, slots=True)
class Found:
    """A tool that is there.

    Attributes:
        tool: What it is.
        source: PATH, vendor or built here.
        folder: Where its binaries are.
    """

    tool: Tool
    source: str
    folder: Path

    def file(self, name: str) -> Path:
        """Path of one of its binaries."""
        return self.folder / name


def find(tool: Tool, where: Locations, host: Host) -> Found | None:
    """The tool if it is there, PATH first, then the vendor's, then the own build."""
    return _on_path(tool, where) or _vendor(tool, where, host) or _built(tool, where, host)


def find_all(tools: Sequence[Tool], where: Locations, host: Host) -> dict[str, Found]:
    """By name, those that are there."""
    return {tool.name: found for tool in tools if (found := find(tool, where, host)) is not None}


def vendor_folder(tool: Tool, where: Locations, host: Host) -> Path:
    """Where the vendor's archive is unpacked; it exists only complete and checked."""
    return where.toolchain / f"{tool.name}-{tool.version}-vendor-{host.go_os}-{host.go_arch}"


def built_folder(tool: Tool, where: Locations, host: Host) -> Path:
    """Where the tool's own build is: its recipe's folder, or one that joins the results of several recipes.

    The language host and the CLI look for their helpers beside themselves, so they have to lie together.
    """
    recipes = [recipe.load(name) for name in tool.recipes]
    if len(recipes) == 1:
        return recipes[0].target(where, host)
    keys = "\0".join(one.key(host) for one in recipes)
    return where.toolchain / f"{tool.name}-{tool.version}-joined-{hashlib.sha256(keys.encode()).hexdigest()[:12]}"


def _on_path(tool: Tool, where: Locations) -> Found | None:
    """On PATH counts what is complete and new enough; plugins cannot say their version, so they never count."""
    command = shutil.which(tool.name)
    if command is None or not tool.version_command:
        return None
    folder = Path(command).parent
    if folder.is_relative_to(where.toolchain):
        return None  # a shell of ours: say where it really came from
    if not all((folder / name).exists() for name in tool.binaries):
        return None
    try:
        said = subprocess.run(
            [command, *tool.version_command],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Found(tool, ON_PATH, folder) if tool.says(said.stdout) else None


def _vendor(tool: Tool, where: Locations, host: Host) -> Found | None:
    folder = vendor_folder(tool, where, host)
    return Found(tool, VENDOR, folder) if folder.is_dir() else None


def _built(tool: Tool, where: Locations, host: Host) -> Found | None:
    folder = built_folder(tool, where, host)
    return Found(tool, BUILT, folder) if folder.is_dir() else None
