"""Counts what the real Chroma syncs for each acknowledged write, by watching its system calls (needs `strace`).

    python -m tests.recovery.count_syncs [--writes N]

Prints one JSON object: `wal_syncs_per_write` [least, most], `unsynced_at_acknowledgement` (acknowledged writes before
which something was written to the write-ahead log after its last sync), `synced` by file, `index_files_synced`.
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import store
from tests.unit.store import steady_rows

_ROWS = Path(steady_rows.__file__)
_CALLS = "pwrite64,write,writev,fsync,fdatasync,sync_file_range,msync"
_LINE = re.compile(r"(?P<call>\w+)\(\d+<(?P<path>[^>]*)>")
_LIMIT_S = 120.0


def count(trace: str) -> dict[str, object]:
    """What the lines of a trace (`strace -f -y`) tell."""
    syncs: list[int] = []
    synced: collections.Counter[str] = collections.Counter()
    since = unsynced = 0
    dirty = False
    for line in trace.splitlines():
        found = _LINE.search(line)
        if found is None:
            continue
        name, call = Path(found["path"]).name, found["call"]
        if call.endswith("sync"):
            synced[name] += 1
            if name.endswith("-wal"):
                since, dirty = since + 1, False
        elif name.endswith("-wal"):
            dirty = True
        elif name == "journal":
            syncs.append(since)
            unsynced += dirty
            since = 0
    per_write = syncs[1:]  # the first line of the journal says that nothing was written yet
    return {
        "writes": len(per_write),
        "wal_syncs_per_write": [min(per_write, default=0), max(per_write, default=0)],
        "unsynced_at_acknowledgement": unsynced,
        "synced": dict(synced.most_common()),
        "index_files_synced": sum(number for name, number in synced.items() if name.endswith((".bin", ".pickle"))),
    }


def watch(directory: Path, writes: int) -> str:
    """The trace of a Chroma that makes so many writes to a new, prepared store."""
    path, journal, trace = directory / "store", directory / "journal", directory / "trace"
    make = f"import chromadb; chromadb.PersistentClient({str(path)!r})"
    subprocess.run([sys.executable, "-c", make], check=True, capture_output=True, timeout=60)
    store.prepare(path)
    command = ["strace", "-f", "-y", "-e", f"trace={_CALLS}", "-o", str(trace)]
    writer = subprocess.Popen([*command, sys.executable, _ROWS, path, journal, "0"], stdin=subprocess.PIPE)
    deadline_s = time.monotonic() + _LIMIT_S
    while steady_rows.acknowledged(journal) < writes:
        if writer.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"the writer made {steady_rows.acknowledged(journal)} writes instead of {writes}")
        time.sleep(0.05)
    writer.communicate(timeout=60)
    return trace.read_text(errors="replace")


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--writes", type=int, default=100)
    with tempfile.TemporaryDirectory(prefix="syncs-") as directory:
        print(json.dumps(count(watch(Path(directory), parser.parse_args().writes))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
