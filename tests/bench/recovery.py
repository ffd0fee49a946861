"""What is lost when everything dies, how long it takes to serve again, and what backups cost meanwhile.

Run: `make bench-recovery` (ROUNDS=20 SIZES="20000 100000" SEED=... TARGET=directory). Bare processes on this machine:
Chroma on a store that keeps its log, `backup run` beside it, a target. The last line has the figures and whether the
targets hold; exit code 1 if one does not.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from backup.command import LITESTREAM, RCLONE, RESTIC

from infra.sizing.coefficients import ARCHIVER_BYTES, RESTORE_BYTES
from tests.backup.making import KINDS
from tests.bench import recovery_ingest, recovery_point, recovery_tables, recovery_time
from tests.bench.recovery_ingest import Ingest
from tests.bench.recovery_memory import Memory, Where
from tests.bench.recovery_point import Disaster
from tests.bench.recovery_stage import Setting

WORST_RPO_TARGET_S, MEDIAN_RPO_TARGET_S = 2.0, 0.7
RTO_TARGET_S, RTO_ROWS = 60.0, 100_000
INGEST_TARGET = 0.9
SLOWEST_WRITE_TARGET_S = 1.0
ROUNDS, BLOCKS, SIZES = 20, 8, (20_000, RTO_ROWS)
PARTS = ("points", "ingest", "sizes")
LIMITS = {Where.ARCHIVER: ARCHIVER_BYTES, Where.RESTORE: RESTORE_BYTES}
"""What sizing counts on."""


def points(setting: Setting, rounds: int, seed: str) -> tuple[str, bool]:
    """Measure and print what is lost; words for the last line, and whether the targets hold."""
    disasters: list[Disaster] = []
    for each in recovery_point.measure(setting, rounds, seed):
        disasters.append(each)
        print(each.as_words(), flush=True)
    lost_s = [each.cut.rpo_s for each in disasters]
    worst_s, median_s, wrong = max(lost_s), statistics.median(lost_s), sum(each.wrong_rows for each in disasters)
    recovery_tables.points(disasters)
    holds = worst_s <= WORST_RPO_TARGET_S and median_s <= MEDIAN_RPO_TARGET_S and not wrong
    return f"RPO of {rounds} worst {worst_s:.2f} s, median {median_s:.2f} s, wrong or missing {wrong}", holds


def ingest(setting: Setting, blocks: int) -> tuple[str, bool]:
    """Measure and print what the archive costs writers."""
    found: Ingest = recovery_ingest.measure(setting, blocks)
    print(recovery_ingest.words(found), flush=True)
    return f"ingest {found.ratio:.2f}x, {found.all_cpu_s:.1f} CPU s for 10,000 rows", found.ratio >= INGEST_TARGET


def sizes(setting: Setting, counts: list[int]) -> tuple[str, bool]:
    """Measure and print the time to serve again, the pauses by a base, and what is stored."""
    found = []
    for count in counts:
        found.append(recovery_time.measure(setting, count))
        words = ", ".join(f"{each.way} {each.seconds:.1f} s" for each in found[-1].ways)
        print(f"{count:,} rows, serving again: {words}", flush=True)
    recovery_tables.sizes(found)
    times = [(each.rows, each.ways[0].seconds) for each in found]
    slowest_s = max(each.pause.writes.slowest_s for each in found)
    plain_s = max(each.pause.plain_writes.slowest_s for each in found)
    failed = sum(len(each.pause.failed) for each in found)
    # A store that is larger has no target; one that is smaller has the same.
    holds = all(seconds <= RTO_TARGET_S for rows, seconds in times if rows <= 1.1 * RTO_ROWS)
    words = ", ".join(f"{rows:,} in {seconds:.1f} s" for rows, seconds in times)
    return (
        f"serving again {words}; beside a base slowest write {slowest_s:.2f} s ({plain_s:.2f} s without), "
        f"{failed} failed",
        holds and slowest_s < SLOWEST_WRITE_TARGET_S and not failed,
    )


def main() -> int:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="disasters")
    parser.add_argument("--sizes", type=int, nargs="+", default=[*SIZES], help="rows of the stores that come back")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="of ingest, with and without backups in each")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of the moments of the disasters")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=[*PARTS], help="what to measure")
    parser.add_argument("--target", choices=sorted(KINDS), default="directory")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no process outlives this one
    print(f"seed {chosen.seed}; target: {chosen.target}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-recovery-") as folder, Memory() as watched:
        setting = Setting(Path(folder), chosen.target, watched)
        setting.prepare()
        parts: dict[str, Callable[[], tuple[str, bool]]] = {
            "points": lambda: points(setting, chosen.rounds, chosen.seed),
            "ingest": lambda: ingest(setting, chosen.blocks),
            "sizes": lambda: sizes(setting, chosen.sizes),
        }
        found = [measure() for name, measure in parts.items() if name in chosen.parts]
    recovery_tables.memory(watched, LIMITS)
    taken = (f"{where} {peak / 1e6:.0f} of {LIMITS[where] / 1e6:.0f} MB" for where, peak in watched.together.items())
    where = f"{platform.machine()}, Linux {platform.release()}, nice {os.nice(0)}"
    print(f"machine: {os.cpu_count()} cores, {where}; {_tools()}")
    words, holds = " | ".join(said for said, _ in found), all(held for _, held in found)
    print(
        f"bench-recovery: {words} | memory {', '.join(taken)} (targets: RPO worst {WORST_RPO_TARGET_S:g} s, median "
        f"{MEDIAN_RPO_TARGET_S:g} s, none wrong; {RTO_ROWS:,} in {RTO_TARGET_S:g} s; write below "
        f"{SLOWEST_WRITE_TARGET_S:g} s, none failed; ingest {INGEST_TARGET}x) | "
        f"{'targets hold' if holds else 'TARGETS MISSED'}"
    )
    return 0 if holds else 1


def _tools() -> str:
    found = []
    for tool in (LITESTREAM, RCLONE, RESTIC):
        words = subprocess.run((tool, "version"), capture_output=True, text=True, check=True).stdout.split()
        found.append(f"{tool} {next(word for word in words if word.lstrip('v')[0].isdigit())}")
    return ", ".join(found)


if __name__ == "__main__":
    sys.exit(main())
