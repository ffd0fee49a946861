"""Where the set-up keeps what it makes: a cache that may be deleted, a state that must not be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Locations:
    """The two roots, both outside the checkout, so that a second clone finds everything.

    Attributes:
        cache: Toolchain, downloads, images. Deleting it costs time, never data.
        state: Pulumi's state, its passphrase, sockets and logs. Deleting it loses the stacks.
    """

    cache: Path
    state: Path

    @property
    def toolchain(self) -> Path:
        """One folder per binary, version and recipe."""
        return self.cache / "toolchain"

    @property
    def downloads(self) -> Path:
        """Vendor downloads, complete or partial."""
        return self.cache / "downloads"

    @property
    def go(self) -> Path:
        """The Go toolchain (where PATH has none that will do) and Go's build cache."""
        return self.cache / "go"

    @property
    def os_images(self) -> Path:
        """OS images made from Debian packages, one OCI layout each."""
        return self.cache / "os"

    @property
    def backup_tools(self) -> Path:
        """The programs of the image `backup`, as its builds take them."""
        return self.cache / "backup-tools"

    @property
    def buildkit(self) -> Path:
        """Root of the own BuildKit daemon: layers and cache mounts."""
        return self.cache / "buildkit"

    @property
    def backend(self) -> Path:
        """Pulumi's default file backend."""
        return self.state / "pulumi"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME: links to the plugins, and which stack is selected."""
        return self.state / "pulumi-home"

    @property
    def passphrase(self) -> Path:
        """The generated passphrase that encrypts secrets in Pulumi's state."""
        return self.state / "passphrase"

    @property
    def buildx(self) -> Path:
        """BUILDX_CONFIG: builder instances."""
        return self.state / "buildx"

    @property
    def run(self) -> Path:
        """Sockets and pid files of daemons started here."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        """Logs of builds and of daemons started here."""
        return self.state / "log"


def _root(environ: Mapping[str, str], own: str, xdg: str, default: str) -> Path:
    """The own variable, else the XDG one plus `cortex`, else the default below the home directory."""
    if chosen := environ.get(own):
        return Path(chosen).expanduser().absolute()
    if base := environ.get(xdg):
        return Path(base).expanduser().absolute() / "cortex"
    home = environ.get("HOME") or str(Path.home())
    return Path(home) / default / "cortex"


def locations(environ: Mapping[str, str] | None = None) -> Locations:
    """The directories that `environ` (default: the process's own) asks for.

    CORTEX_CACHE_DIR and CORTEX_STATE_DIR come first, then XDG_CACHE_HOME and XDG_STATE_HOME.
    """
    given = os.environ if environ is None else environ
    return Locations(
        cache=_root(given, "CORTEX_CACHE_DIR", "XDG_CACHE_HOME", ".cache"),
        state=_root(given, "CORTEX_STATE_DIR", "XDG_STATE_HOME", ".local/state"),
    )


def private_dir(path: Path) -> Path:
    """Creates `path` readable by its owner only, and returns it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
