"""What the guard itself takes: memory, processor at rest, and the exec probe's time."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.recovery.guarded import Guarded, GuardedChroma

_PAIRS = 40


@dataclass(frozen=True)
class Rest:
    """A guard while nobody asks its server anything."""

    name: str
    rss_mb: float
    core_percent: float
    """Of one core, over the whole time."""
    server_core_percent: float
    seconds: float


@dataclass(frozen=True)
class ProbeCost:
    """One run of the exec probe."""

    median_ms: float
    above_python_ms: float
    """Above starting the same Python and doing nothing: median of pairs."""


def rest(servers: Sequence[Guarded], seconds: float) -> list[Rest]:
    """Watch running guards for a while; their canaries go on."""
    before = [_cpu_s(server) for server in servers]
    started = time.monotonic()
    time.sleep(seconds)  # what is measured is that nothing happens
    took_s = time.monotonic() - started
    rests = []
    for server, (guard_s, server_s) in zip(servers, before, strict=True):
        guard_now_s, server_now_s = _cpu_s(server)
        assert server.process is not None
        rests.append(
            Rest(
                "guard of chroma" if isinstance(server, GuardedChroma) else "guard of the API",
                psutil.Process(server.process.pid).memory_info().rss / 1e6,
                100 * (guard_now_s - guard_s) / took_s,
                100 * (server_now_s - server_s) / took_s,
                took_s,
            )
        )
    return rests


def _cpu_s(server: Guarded) -> tuple[float, float]:
    """Processor time of the guard with what it started for a moment, and of its server."""
    assert server.process is not None
    pid = server.server_pid()
    assert pid is not None
    guard, own = psutil.Process(server.process.pid).cpu_times(), psutil.Process(pid).cpu_times()
    return guard.user + guard.system + guard.children_user + guard.children_system, own.user + own.system


def probe(server: Guarded, folder: Path) -> ProbeCost:
    """The launcher as in the image, against the state of a running guard; in pairs with a bare Python."""
    launcher = folder / "healthcheck"
    subprocess.run([sys.executable, "-m", "healthcheck.install", launcher], check=True, timeout=60)
    bare = [os.path.realpath(sys.executable), "-I", "-S", "-c", "pass"]
    pairs = [(_run_ms(bare, server), _run_ms([str(launcher)], server)) for _ in range(_PAIRS)]
    return ProbeCost(
        statistics.median(took for _, took in pairs), statistics.median(took - without for without, took in pairs)
    )


def _run_ms(command: list[str], server: Guarded) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, env=server.environment(), capture_output=True, text=True, check=False)
    took_ms = 1e3 * (time.perf_counter() - started)
    if done.returncode:
        raise SystemExit(f"{command} ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return took_ms
