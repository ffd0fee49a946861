"""Kills processes in the middle of an index's save: waits for the kernel to say that a file was touched.

A program of its own, since a thread beside busy ones would wait for Python's lock: `python aim.py STORE FILE DELAY_US
LIMIT_S PID...`, standard library only. It prints the file that was touched, or nothing when the limit passed.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

PICKLE = "index_metadata.pickle"
"""Written last; truncated first. A kill in between left every collection unreadable."""
GRAPH = "data_level0.bin,header.bin,length.bin,link_lists.bin"
"""The index proper, written before the pickle."""
_MODIFIED, _CREATED = 0x2, 0x100
_EVENT = struct.Struct("iIII")


def fire(store: Path, names: str, delay_us: int, limit_s: float, pids: list[int]) -> str:
    """Run this program and wait for it; the file whose touch killed `pids`, or nothing when none came in `limit_s`."""
    arguments = [str(store), names, str(delay_us), str(limit_s), *map(str, pids)]
    command = [sys.executable, "-I", "-S", __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit_s + 30, check=False)
    return done.stdout.strip()


def main(store: Path, names: frozenset[str], delay_us: int, limit_s: float, pids: list[int]) -> int:
    """Wait, kill; 0 when it was done."""
    libc = ctypes.CDLL(None, use_errno=True)
    watching = libc.inotify_init1(os.O_NONBLOCK)
    folders: dict[int, Path] = {}

    def watch(folder: Path) -> None:
        descriptor = libc.inotify_add_watch(watching, os.fsencode(folder), _MODIFIED | _CREATED)
        if descriptor >= 0:
            folders[descriptor] = folder

    watch(store)
    for each in store.iterdir():
        if each.is_dir() and not each.name.startswith("."):
            watch(each)
    deadline = time.monotonic() + limit_s
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([watching], [], [], left)[0]:
            continue
        events, position = os.read(watching, 65_536), 0
        while position < len(events):
            descriptor, _, _, length = _EVENT.unpack_from(events, position)
            name = events[position + _EVENT.size : position + _EVENT.size + length].rstrip(b"\0").decode()
            position += _EVENT.size + length
            if name in names:
                until = time.monotonic() + delay_us / 1e6
                while time.monotonic() < until:
                    pass  # far below what sleeping can hit
                for pid in pids:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
                print(name, flush=True)
                return 0
            if folders.get(descriptor) == store and (store / name).is_dir():
                watch(store / name)
    return 1


if __name__ == "__main__":
    _, folder, files, delay, limit, *victims = sys.argv
    sys.exit(main(Path(folder), frozenset(files.split(",")), int(delay), float(limit), [int(each) for each in victims]))
