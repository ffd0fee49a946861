"""The OS image to build upon where no hub answers: made of Debian packages, kept as an OCI layout.

BuildKit takes it from disk as a named context (`oci-layout://`), so no registry is needed. The folder `images/os` says
what goes in. The layout holds three images: `os`; `build`, which is the same plus `uv` for builder stages; and
`packages`, which holds nothing but the Debian packages that a few images add to `os`.
"""

from __future__ import annotations

import hashlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.commands import log_tail, run
from tools.docker_engine import install, is_debian
from tools.errors import ToolError
from tools.host import Host
from tools.locations import CHECKOUT, Locations
from tools.oci_layout import ImageConfig, LayoutWriter, discard, read_digests
from tools.progress import Step
from tools.versions import UV, WHEELS

DEFINITION = CHECKOUT / "images" / "os" / "os.toml"
METHOD = "2"
NAME = "cortex-os"
FETCH_LIMIT_S = 300.0
BUILD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Definition:
    """What goes into the image; see the comments in `images/os/os.toml`."""

    suite: str
    epoch_s: int
    packages: tuple[str, ...]
    carried: tuple[str, ...]
    exclude: tuple[str, ...]
    remove: tuple[str, ...]

    @property
    def created(self) -> str:
        """The image's date, RFC 3339."""
        return datetime.fromtimestamp(self.epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class NamedContext:
    """An image on disk as BuildKit takes it.

    Attributes:
        name: What a Dockerfile calls it; holds the start of the digest.
        location: `oci-layout://<folder>@<digest>`.
    """

    name: str
    location: str


@dataclass(frozen=True, slots=True)
class OsImage:
    """The finished image in its kinds."""

    runtime: NamedContext
    build: NamedContext
    packages: NamedContext


def load(path: Path = DEFINITION) -> Definition:
    """Reads the definition."""
    given = tomllib.loads(path.read_text())
    return Definition(
        suite=given["suite"],
        epoch_s=given["epoch_s"],
        packages=tuple(given["packages"]),
        carried=tuple(given["carried"]),
        exclude=tuple(given["exclude"]),
        remove=tuple(given["remove"]),
    )


def target(where: Locations, host: Host, path: Path = DEFINITION) -> Path:
    """The layout's folder, named by what decides its content."""
    digest = hashlib.sha256(f"{METHOD}\0{host.go_arch}\0".encode())
    for source in (path, WHEELS / "uv.txt"):
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return where.os_images / f"{load(path).suite}-{host.go_arch}-{digest.hexdigest()[:12]}"


def find(where: Locations, host: Host) -> OsImage | None:
    """The image if it was made on this machine, else None."""
    root = target(where, host)
    try:
        digests = read_digests(root)
    except FileNotFoundError:
        return None
    runtime, build, packages = (
        NamedContext(f"cortex-{tag}:{digests[tag].removeprefix('sha256:')[:12]}", f"oci-layout://{root}@{digests[tag]}")
        for tag in ("os", "build", "packages")
    )
    return OsImage(runtime, build, packages)


def make(where: Locations, host: Host, uv: Path, step: Step) -> OsImage:
    """Makes the image.

    Args:
        where: Cache and state.
        host: Containers get this processor.
        uv: The uv command, which fetches the pinned uv for containers.
        step: Told what is being done.

    Raises:
        ToolError: This is not Debian as root, or a package could not be had.
    """
    _require_tools(step)
    root = target(where, host)
    partial = root.with_name(f".{root.name}.partial")
    discard(partial)
    partial.mkdir(parents=True)
    carried = partial / "packages"
    (carried / "partial").mkdir(parents=True)
    definition = load()
    step.doing = f"unpacking Debian {definition.suite}"
    writer = LayoutWriter(partial)
    log = where.logs / "os-image.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        process = subprocess.Popen(
            arguments(definition, host, carried),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(definition.epoch_s)},
        )
        with process:
            if process.stdout is None:
                raise ToolError("mmdebstrap gave no output")
            layer = writer.add_layer(process.stdout)
    if process.returncode != 0:
        raise ToolError(f"making the OS image failed; the end of {log}:\n{log_tail(log)}")
    env = {"PATH": BUILD_PATH, "LANG": "C.UTF-8"}
    labels = {"org.opencontainers.image.title": "cortex-os", "org.opencontainers.image.base.name": definition.suite}
    config = ImageConfig(host.go_arch, definition.created, env, labels)
    writer.add_image("os", config, [layer])
    step.doing = "adding uv for builder stages"
    uv_layer = writer.add_layer(_uv_layer(_linux_uv(uv, where, host), definition.epoch_s))
    writer.add_image("build", config, [layer, uv_layer])
    packages = sorted(carried.glob("*.deb"))
    writer.add_image("packages", config, [writer.add_layer(_packages_layer(packages, definition.epoch_s))])
    discard(carried)
    writer.close()
    partial.replace(root)
    found = find(where, host)
    if found is None:
        raise ToolError(f"the OS image in {root} is not complete; delete that folder and try again")
    return found


def arguments(definition: Definition, host: Host, carried: Path) -> list[str]:
    """The mmdebstrap call that writes the root filesystem as a tar to standard output.

    Args:
        definition: What goes in.
        host: Containers get this processor.
        carried: Folder that gets the packages which are carried beside the image, with what they need and it lacks.
    """
    removals = " ".join(f'"$1"{path}' for path in definition.remove)
    mirror = os.environ.get("CORTEX_DEBIAN_MIRROR")
    return [
        "mmdebstrap",
        # Essential packages only: no apt, and so no way to install anything in a running container.
        "--variant=essential",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        f"--architectures={host.go_arch}",
        f"--include={','.join(definition.packages)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in definition.exclude),
        f"--customize-hook={_download(definition.carried, carried)}",
        f"--customize-hook=rm -rf {removals}",
        definition.suite,
        "-",
        *([mirror] if mirror else []),
    ]


def _download(packages: tuple[str, ...], folder: Path) -> str:
    """The hook that fetches packages with mmdebstrap's own apt, which knows what the root filesystem has already."""
    archives = shlex.quote(f"Dir::Cache::Archives={folder.absolute()}/")
    wanted = " ".join(map(shlex.quote, packages))
    apt = "apt-get --quiet --yes --download-only --no-install-recommends"
    return f'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" {apt} -o {archives} install {wanted}'


def _require_tools(step: Step) -> None:
    if not is_debian() or os.geteuid() != 0:
        raise ToolError(
            "no OS image: Docker Hub does not answer, and making one from Debian packages needs Debian or Ubuntu "
            "as root. Let Docker pull from a mirror, or name an image that can be pulled in CORTEX_OS_IMAGE"
        )
    if shutil.which("mmdebstrap") is None:
        step.doing = "installing mmdebstrap"
        install(["mmdebstrap"])


def _linux_uv(uv: Path, where: Locations, host: Host) -> Path:
    """The pinned uv for Linux containers, checked by its hashes; this machine's own may be another version."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[host.go_arch]
    target = where.downloads / f"uv-{UV}-linux-{machine}"
    install = ["pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--require-hashes"]
    chosen = ["--python-platform", f"{machine}-manylinux_2_28", "--target", str(target)]
    run([str(uv), *install, *chosen, "-r", str(WHEELS / "uv.txt")], what="fetching uv", timeout_s=FETCH_LIMIT_S)
    return target / "bin" / "uv"


def _uv_layer(uv: Path, epoch_s: int) -> io.BytesIO:
    """A tar with uv at /usr/local/bin/uv."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar, uv.open("rb") as binary:
        info = tarfile.TarInfo("usr/local/bin/uv")
        info.size, info.mode, info.mtime = uv.stat().st_size, 0o755, epoch_s
        tar.addfile(info, binary)
    out.seek(0)
    return out


def _packages_layer(packages: list[Path], epoch_s: int) -> io.BytesIO:
    """A tar with the packages in /packages."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for package in packages:
            info = tarfile.TarInfo(f"packages/{package.name}")
            info.size, info.mode, info.mtime = package.stat().st_size, 0o644, epoch_s
            with package.open("rb") as content:
                tar.addfile(info, content)
    out.seek(0)
    return out
