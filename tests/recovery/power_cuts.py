"""Cuts the power under a real Chroma that writes, and counts what is missing afterwards. Needs root.

    python -m tests.recovery.power_cuts [--cuts N] [--seed N] [--stock]

Prints one JSON object. `--stock` leaves the store as Chroma makes it and repairs nothing, for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import store
from tests.recovery.power import Volume
from tests.unit.store import steady_rows

_ROWS = Path(steady_rows.__file__)
_READ = _ROWS.with_name("chroma_rows.py")
_FILE_LIMIT_BYTES = 200 << 20
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Cut:
    """What one power cut did."""

    writes: int
    """Acknowledged before it."""
    lost: int
    """Acknowledged writes that are missing after it; -1 where Chroma could not read the store."""
    wrong: int
    """Rows whose embedding is not what the writes that are there come to, or that are missing among them."""
    unacknowledged: int
    """Writes that are there, whole, without having been acknowledged."""
    damaged: int
    """Findings of the verification after it."""
    undecided: int
    """Findings that needed a person."""
    error: str = ""
    """What Chroma said on reading, with the collections as it wrote them."""


def cut(directory: Path, writes: int, *, stock: bool = False) -> Cut:
    """Make a store on a volume, write to it, cut the power after so many acknowledged writes, look."""
    journal = directory / "journal"
    with Volume(directory) as volume:
        path = volume.path / "store"
        _run([sys.executable, "-c", f"import chromadb; chromadb.PersistentClient({str(path)!r})"])
        if not stock:
            store.prepare(path)
        _run(["sync", "-f", str(path)])
        started_ns = time.time_ns()
        _write_until_the_cut(volume, path, journal, writes)
        volume.start_again()
        acknowledged = steady_rows.acknowledged(journal)
        damaged = undecided = 0
        if not stock:
            store.prepare(path)
            found = store.verify(path, store.Depth.EMBEDDINGS, trust_log_since_ns=started_ns)
            mended = store.repair(path, found, trust_log_since_ns=started_ns)
            damaged, undecided = len(found.findings), len(mended.undecided)
        newest = _newest_row(path)
        there, expected = steady_rows.after(newest)
        try:
            wrong, error = _wrong(_read(path), expected), ""
        except ValueError as problem:
            wrong, error = -1, str(problem)
        return Cut(
            writes=acknowledged,
            lost=max(0, acknowledged - there),
            wrong=wrong,
            unacknowledged=max(0, there - acknowledged),
            damaged=damaged,
            undecided=undecided,
            error=error,
        )


def _write_until_the_cut(volume: Volume, path: Path, journal: Path, writes: int) -> None:
    writer = subprocess.Popen(
        [sys.executable, _ROWS, path, journal, "0"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # Chroma's complaints about the disk
        preexec_fn=lambda: resource.setrlimit(  # noqa: PLW1509 (no threads here)
            resource.RLIMIT_FSIZE, (_FILE_LIMIT_BYTES, _FILE_LIMIT_BYTES)
        ),
    )
    try:
        deadline_s = time.monotonic() + _LIMIT_S
        while steady_rows.acknowledged(journal) < writes:
            if writer.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the writer made {steady_rows.acknowledged(journal)} writes instead of {writes}")
            time.sleep(0.002)
        volume.cut_power()
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()


def _newest_row(path: Path) -> int:
    database = sqlite3.connect(path / "chroma.sqlite3")
    try:
        return int(database.execute("SELECT coalesce(max(seq_id), 0) FROM embeddings_queue").fetchone()[0])
    finally:
        database.close()


def _read(path: Path) -> steady_rows.Rows:
    done = subprocess.run(
        [sys.executable, _READ, "read", path], check=False, capture_output=True, text=True, timeout=_LIMIT_S
    )
    if done.returncode:
        raise ValueError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return {name: {row[0]: row[1] for row in rows} for name, rows in json.loads(done.stdout).items()}


def _wrong(found: steady_rows.Rows, expected: steady_rows.Rows) -> int:
    count = 0
    for name in expected.keys() | found.keys():
        there, wanted = found.get(name, {}), expected.get(name, {})
        count += sum(there.get(each) != wanted.get(each) for each in there.keys() | wanted.keys())
    return count


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_LIMIT_S)


def main() -> int:
    """Cut as often as asked, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stock", action="store_true")
    chosen = parser.parse_args()
    pick = random.Random(chosen.seed)  # noqa: S311 (moments, not secrets)
    cuts = []
    for _ in range(chosen.cuts):
        with tempfile.TemporaryDirectory(prefix="power-") as directory:
            cuts.append(cut(Path(directory), pick.randrange(30, 220), stock=chosen.stock))
    print(json.dumps([asdict(each) for each in cuts]))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
    raise SystemExit(main())
