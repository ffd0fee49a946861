"""Starts a command with something taken away: `python confine.py [OPTION]... -- COMMAND...`, standard library only.

  --small BYTES PATH   a file system of that size at PATH, with a copy of what is there
  --read-only PATH     PATH cannot be written
  --group PATH         in that control group
  --files N            at most N open files
  --obey               as root, obey the permissions of files, as a container without capabilities does

Mounts are in a namespace of the command's own: nobody else sees them, and they end with it. Without root a user
namespace gives the right to mount.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_DROP_CAPABILITY = 24
_IGNORE_PERMISSIONS = (1, 2)
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Take away, and become the command."""
    options, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    given = iter(options)
    for option in given:
        if option == "--small":
            small(int(next(given)), Path(next(given)))
        elif option == "--read-only":
            read_only(Path(next(given)))
        elif option == "--group":
            Path(next(given), "cgroup.procs").write_text(str(os.getpid()))
        elif option == "--files":
            files = int(next(given))
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        elif option == "--obey":
            for capability in _IGNORE_PERMISSIONS:
                _LIBC.prctl(_DROP_CAPABILITY, capability, 0, 0, 0)
        else:
            raise SystemExit(f"unknown option {option}")
    os.execv(command[0], command)  # noqa: S606 -- no shell: these are the arguments


def small(size_bytes: int, path: Path) -> None:
    """Mount a file system in memory over `path`, and copy there what `path` held."""
    _own_mounts()
    with tempfile.TemporaryDirectory() as beside:
        kept = Path(beside, "kept")
        shutil.copytree(path, kept)
        _mount("tmpfs", path, "tmpfs", 0, f"size={size_bytes},mode=755")
        shutil.copytree(kept, path, dirs_exist_ok=True)


def read_only(path: Path) -> None:
    """Mount `path` over itself, without the right to write."""
    _own_mounts()
    _mount(str(path), path, None, _BIND, None)
    _mount(None, path, None, _REMOUNT | _BIND | _READ_ONLY, None)


def _own_mounts() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if _LIBC.unshare(_NEW_MOUNTS | (_NEW_USERS if uid else 0)):
        raise OSError(ctypes.get_errno(), "a mount namespace of its own is not allowed here")
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _mount(None, Path("/"), None, _RECURSIVE | _PRIVATE, None)


def _mount(source: str | None, target: Path, kind: str | None, flags: int, options: str | None) -> None:
    encoded = [None if each is None else each.encode() for each in (source, str(target), kind, options)]
    if _LIBC.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]):
        code = ctypes.get_errno()
        raise OSError(code, f"mount of {target}: {os.strerror(code)}")


if __name__ == "__main__":
    main(sys.argv[1:])
