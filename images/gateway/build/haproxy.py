"""`python3 haproxy.py ROOT PACKAGES`: lay the distribution's HAProxy and the libraries it needs out below ROOT.

The packages come from the folder PACKAGES, or from apt where that is empty. Only the program, its libraries and the
licences are taken: what Debian's scripts would set up beside it (a user, a service, log rotation) belongs to the
container. ROOT also gets the package database with these packages in it, for those who look for known weaknesses.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROGRAM = "haproxy"
# Needed by the package's scripts alone, which are not run.
SCRIPTS_ONLY = frozenset({"adduser", "passwd", "init-system-helpers", "lsb-base", "sysvinit-utils"})
KEPT = ("usr/sbin/haproxy", "usr/lib/*/*.so*", "usr/share/doc/*/copyright")
STATUS = Path("/var/lib/dpkg/status")


def main() -> int:
    """Lay it out."""
    root, given = Path(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as scratch:
        packages = sorted(given.glob("*.deb")) or _downloaded(Path(scratch))
        found = {_field(package, "Package"): package for package in packages}
        if PROGRAM not in found:
            raise SystemExit(f"no package {PROGRAM} in {given}, and apt brought none: is this image made of Debian?")
        needed = sorted(_closure(PROGRAM, found))
        for name in needed:
            _take(found[name], root)
        database = root / STATUS.relative_to("/")
        database.parent.mkdir(parents=True)
        database.write_text(_database(STATUS.read_text(), [found[name] for name in needed]))
    print(f"{PROGRAM}: {', '.join(needed)}")  # noqa: T201 -- a build step's way to speak
    return 0


def _downloaded(folder: Path) -> list[Path]:
    """From apt: the program with what it needs and the image lacks."""
    if shutil.which("apt-get") is None:
        return []
    (folder / "partial").mkdir()
    options = ["-o", f"Dir::Cache::Archives={folder}/", "-o", "APT::Sandbox::User=root"]
    _run("apt-get", "-q", "update")
    _run("apt-get", "-q", "-y", "--download-only", "--no-install-recommends", *options, "install", PROGRAM)
    return sorted(folder.glob("*.deb"))


def _closure(name: str, found: dict[str, Path]) -> set[str]:
    """The package and those of the found ones that it depends on, but for its scripts."""
    needed, open_ = set(), [name]
    while open_:
        each = open_.pop()
        if each in found and each not in needed and each not in SCRIPTS_ONLY:
            needed.add(each)
            open_ += _depends(_field(found[each], "Depends"))
    return needed


def _depends(text: str) -> Iterator[str]:
    """Names of a field `Depends`; of alternatives all."""
    for each in re.split(r"[,|]", text):
        if match := re.match(r"\s*([a-z0-9.+-]+)", each):
            yield match[1]


def _take(package: Path, root: Path) -> None:
    """Copy what is kept of a package."""
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = Path(scratch)
        _run("dpkg-deb", "--extract", str(package), scratch)
        # Older packages have libraries in /lib, which is a link to /usr/lib.
        for source in [*unpacked.glob("lib/*/*.so*")]:
            target = unpacked / "usr" / source.relative_to(unpacked)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
        for source in sorted(path for pattern in KEPT for path in unpacked.glob(pattern)):
            target = root / source.relative_to(unpacked)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def _database(status: str, packages: list[Path]) -> str:
    """The image's package database with these packages as installed."""
    entries = [status.strip("\n")]
    for package in packages:
        fields = _run("dpkg-deb", "--field", str(package)).strip("\n")
        entries.append(re.sub(r"^(Package: .*)$", r"\1\nStatus: install ok installed", fields, count=1, flags=re.M))
    return "\n\n".join(entries) + "\n"


def _field(package: Path, name: str) -> str:
    return _run("dpkg-deb", "--field", str(package), name).strip()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
