"""What a binary is built from: a Go module of its own in `recipes/`, and what to call the result."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.host import Host
from tools.locations import Locations

RECIPES = Path(__file__).resolve().parent / "recipes"
# Part of every key: raise it when the way of building changes so that old results no longer do.
METHOD = "1"


@dataclass(frozen=True, slots=True)
class Copy:
    """A file of a Go module that is taken as it is, made executable."""

    module: str
    path: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """One Go module and the binaries that come of it.

    Attributes:
        name: Folder in `recipes/`.
        version: Version of what is built.
        packages: Go packages to build, seen from the folder.
        binaries: Names of the resulting files, copies included.
        tags: Go build tags.
        variables: Go string variables set by the linker; `{version}` is filled in.
        copies: Files taken from modules.
    """

    name: str
    version: str
    packages: tuple[str, ...]
    binaries: tuple[str, ...]
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None
    copies: tuple[Copy, ...] = ()
    folder: Path = RECIPES

    @property
    def linker_flags(self) -> str:
        """For `-ldflags`: no symbol tables, and the variables."""
        settings = [f"-X {key}={value.format(version=self.version)}" for key, value in (self.variables or {}).items()]
        return " ".join(["-s", "-w", *settings])

    def key(self, host: Host) -> str:
        """Twelve hex digits over everything that decides the result: method, platform, and each file of the folder."""
        return self._digest(f"{METHOD}\0{host.go_os}\0{host.go_arch}\0")

    def key_of_any_host(self) -> str:
        """The same for all platforms together."""
        return self._digest(f"{METHOD}\0")

    def _digest(self, beginning: str) -> str:
        digest = hashlib.sha256(beginning.encode())
        for path in sorted(file for file in self.folder.rglob("*") if file.is_file()):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(self.folder).as_posix()}\0{content}\0".encode())
        return digest.hexdigest()[:12]

    def target(self, where: Locations, host: Host) -> Path:
        """Folder of the finished binaries; it exists only complete."""
        return where.toolchain / f"{self.name}-{self.version}-{self.key(host)}"


def load(name: str, recipes: Path = RECIPES) -> Recipe:
    """Reads `recipes/<name>/recipe.toml`.

    Raises:
        FileNotFoundError: There is no such recipe.
        TypeError: It has a key that no recipe has.
    """
    folder = recipes / name
    given = tomllib.loads((folder / "recipe.toml").read_text())
    copies = tuple(Copy(**copy) for copy in given.pop("copies", ()))
    lists: dict[str, Any] = {key: tuple(given.pop(key)) for key in ("packages", "binaries", "tags") if key in given}
    return Recipe(name=name, folder=folder, copies=copies, **lists, **given)
