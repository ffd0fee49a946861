"""What the guard, the kept log and its journal cost, as ratios in one run; what the guard takes; how long restarts are.

Run: `make bench-guard` (VECTORS=100000 REST_S=600). The last line has the ratios and whether the targets hold;
exit code 1 if one does not.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import guard_cost, guard_restarts, guard_throughput
from tests.recovery.guarded import Guarded, GuardedChroma

INGEST_TARGET, QUERY_TARGET = 0.85, 0.98
RSS_TARGET_MB, CORE_TARGET_PERCENT, PROBE_TARGET_MS = 45.0, 0.5, 20.0
BLOCKS = 16
REST_S = 120.0
VECTORS = 100_000


def throughput(folder: Path, blocks: int) -> tuple[str, bool]:
    """Measure and print; words for the last line, and whether the targets hold."""
    ratios = guard_throughput.measure(folder, blocks)
    for each in ratios:
        print(
            f"{each.name:16} against {each.against:5}: ingest {each.ingest:.2f} ({each.ingest_low:.2f} to "
            f"{each.ingest_high:.2f}), query {each.query:.2f} ({each.query_low:.2f} to {each.query_high:.2f})",
            flush=True,
        )
    words = ", ".join(f"{each.name} {each.ingest:.2f}/{each.query:.2f}" for each in ratios)
    guarded = [each for each in ratios if each.name.startswith("guarded")]
    holds = all(each.ingest >= INGEST_TARGET and each.query >= QUERY_TARGET for each in guarded)
    return f"ingest/query {words}", holds


def cost(folder: Path, seconds: float) -> tuple[str, bool]:
    """Measure and print the guards at rest and the probe."""
    servers = [Guarded(folder / "rest-api"), GuardedChroma(folder / "rest-chroma")]
    try:
        for server in servers:
            server.start()
            server.wait_ready()
        probe = guard_cost.probe(servers[0], folder)
        rests = guard_cost.rest(servers, seconds)
    finally:
        for server in servers:
            if server.process is not None:
                server.remove()
    for each in rests:
        print(
            f"{each.name}: {each.rss_mb:.0f} MB, {each.core_percent:.2f} % of a core over {each.seconds:.0f} s at rest,"
            f" its server {each.server_core_percent:.2f} %"
        )
    print(f"exec probe: {probe.median_ms:.1f} ms, {probe.above_python_ms:.1f} ms above bare Python", flush=True)
    rss, core = max(each.rss_mb for each in rests), max(each.core_percent for each in rests)
    holds = rss <= RSS_TARGET_MB and core <= CORE_TARGET_PERCENT and probe.median_ms <= PROBE_TARGET_MS
    return f"guard {rss:.0f} MB, {core:.2f} % of a core, probe {probe.median_ms:.0f} ms", holds


def restarts(folder: Path, vectors: int) -> str:
    """Measure and print how long a store is away."""
    away = guard_restarts.measure(folder, vectors)
    print(
        f"{away.vectors:,} x {guard_restarts.DIMENSIONS}: away {away.planned_s:.1f} s at a planned restart, "
        f"{away.crash_s:.1f} s after a crash of the server, {away.container_kill_s:.1f} s after a kill of everything; "
        f"ready {away.container_start_s:.1f} s after a clean start; guard then {away.rss_mb:.0f} MB",
        flush=True,
    )
    return f"away at {away.vectors:,}: planned {away.planned_s:.1f} s, crash {away.crash_s:.1f} s"


def main() -> int:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="of ingest and queries, each variant once in each")
    parser.add_argument("--rest-s", type=float, default=REST_S)
    parser.add_argument("--vectors", type=int, default=VECTORS, help="for the restarts")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as name:
        folder = Path(name)
        ratios, fast = throughput(folder, chosen.blocks)
        taken, small = cost(folder, chosen.rest_s)
        away = restarts(folder, chosen.vectors)
    where = f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    print(f"machine: {os.cpu_count()} cores, {where}")
    print(
        f"bench-guard: {ratios} (targets {INGEST_TARGET}/{QUERY_TARGET}) | {taken} | {away} | "
        f"{'targets hold' if fast and small else 'TARGETS MISSED'}"
    )
    return 0 if fast and small else 1


if __name__ == "__main__":
    sys.exit(main())
