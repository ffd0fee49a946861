"""Every pinned version of the toolchain, and where each tool can come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tools.host import Host

# Mirrors of the vendor's releases have the same paths; a company sets the variable to its own.
RELEASES_VARIABLE = "CORTEX_RELEASES_URL"
RELEASES_URL = "https://github.com"


@dataclass(frozen=True, slots=True)
class Release:
    """A vendor's archive and its published list of SHA-256 sums, as paths below the releases' address.

    The archive is a .tar.gz, or a .bz2 of the one binary.
    """

    archive: str
    checksums: str

    def for_host(self, host: Host, version: str) -> tuple[str, str]:
        """Both paths with version and platform filled in."""
        values = {
            "version": version,
            "os": host.go_os,
            "arch": host.go_arch,
            "pulumi_arch": host.pulumi_arch,
            "litestream_arch": host.litestream_arch,
        }
        return self.archive.format(**values), self.checksums.format(**values)


@dataclass(frozen=True, slots=True)
class Tool:
    """Something `up` needs, whatever it comes from.

    Attributes:
        name: Its main binary.
        version: Exactly this one is used: state and programs depend on it.
        binaries: All files that have to be there.
        recipes: What builds it where the vendor does not answer.
        release: The vendor's download, if it is taken from there.
        version_command: Arguments that make the main binary say its version; empty if it cannot, or if one on PATH
            would not do.
        plugin: Name of the resource plugin it is (`docker`), empty for commands.
    """

    name: str
    version: str
    binaries: tuple[str, ...]
    recipes: tuple[str, ...]
    release: Release | None = None
    version_command: tuple[str, ...] = ()
    plugin: str = ""

    def says(self, output: str) -> bool:
        """Whether the output of `version_command` names at least the pinned version."""
        found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", output)
        if found is None:
            return False
        return tuple(map(int, found.groups())) >= tuple(map(int, self.version.split(".")))


PULUMI = Tool(
    name="pulumi",
    version="3.259.0",
    binaries=("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"),
    recipes=("pulumi", "pulumi-language-python"),
    release=Release(
        archive="pulumi/pulumi/releases/download/v{version}/pulumi-v{version}-{os}-{pulumi_arch}.tar.gz",
        checksums="pulumi/pulumi/releases/download/v{version}/pulumi-{version}-checksums.txt",
    ),
    version_command=("version",),
)


def _plugin(name: str, version: str) -> Tool:
    base = f"pulumi/pulumi-{name}/releases/download/v{{version}}"
    return Tool(
        name=f"pulumi-resource-{name}",
        version=version,
        binaries=(f"pulumi-resource-{name}",),
        recipes=(f"pulumi-resource-{name}",),
        release=Release(
            archive=f"{base}/pulumi-resource-{name}-v{{version}}-{{os}}-{{arch}}.tar.gz",
            checksums=f"{base}/pulumi-{name}_{{version}}_checksums.txt",
        ),
        plugin=name,
    )


DOCKER = _plugin("docker", "5.1.0")
DOCKER_BUILD = _plugin("docker-build", "0.0.22")
# Only where Docker cannot pull its own builder, so there is no download to prefer.
BUILDKIT = Tool("buildkitd", "0.25.1", ("buildkitd", "buildctl"), ("buildkit",), version_command=("--version",))

# For the image `backup`: Linux binaries for the Docker host's processor, so one on this machine's PATH never counts.
LITESTREAM = Tool(
    name="litestream",
    version="0.5.18",
    binaries=("litestream",),
    recipes=("litestream",),
    release=Release(
        archive="benbjohnson/litestream/releases/download/v{version}/"
        "litestream-{version}-{os}-{litestream_arch}.tar.gz",
        checksums="benbjohnson/litestream/releases/download/v{version}/checksums.txt",
    ),
)
RESTIC = Tool(
    name="restic",
    version="0.18.1",
    binaries=("restic",),
    recipes=("restic",),
    release=Release(
        archive="restic/restic/releases/download/v{version}/restic_{version}_{os}_{arch}.bz2",
        checksums="restic/restic/releases/download/v{version}/SHA256SUMS",
    ),
)
# Always built: the release holds every storage and command, three times what is needed (docs/install.md).
RCLONE = Tool("rclone", "1.76.0", ("rclone",), ("rclone",))

ALWAYS = (PULUMI, DOCKER, DOCKER_BUILD)
BACKUP = (LITESTREAM, RESTIC, RCLONE)
UV = "0.13.9"
WHEELS = Path(__file__).resolve().parent / "wheels"
