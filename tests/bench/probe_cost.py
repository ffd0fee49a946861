"""What one health probe costs beside a bare Python start, in pairs: `python tests/bench/probe_cost.py [PAIRS]`.

The probe reads a guard's state with the judgements of a real one, and runs by its launcher as in the image. Time is
wall clock of the whole process; memory is the largest resident size of the process.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

JUDGEMENTS = 15
"""As many as a guard with a store has."""
JUDGED = {"name": "disk", "value": 24.5, "limit": 80, "unit": "%", "verdict": "ok", "message": "figures " * 12}


def publish(path: Path) -> None:
    """A fresh state: an old one would be told as stale."""
    state = {"version": 1, "at_s": time.monotonic(), "phase": "serving", "verdict": "ok", "actions": []}
    path.write_text(json.dumps({**state, "judgements": [JUDGED] * JUDGEMENTS}))


def once(command: list[str], environment: dict[str, str]) -> float:
    """Wall time in ms of one run."""
    publish(Path(environment["HEALTH_STATE_PATH"]))
    start_s = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    took_ms = 1e3 * (time.perf_counter() - start_s)
    if done.returncode != 0:
        raise SystemExit(f"{command} ended with status {done.returncode}")
    return took_ms


def peak_mb(python: str, code: str, environment: dict[str, str]) -> float:
    """Largest resident size of a process that runs the code, as the kernel tells the process at its end."""
    publish(Path(environment["HEALTH_STATE_PATH"]))
    tell = "\nimport sys\nfor line in open('/proc/self/status'):\n    'VmHWM' in line and sys.stderr.write(line)"
    command = [python, "-I", "-S", "-c", code + tell]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return int(done.stderr.split()[1]) / 1024


def main(pairs: int) -> None:
    """Measure and print."""
    python = os.path.realpath(sys.executable)
    with tempfile.TemporaryDirectory() as directory:
        launcher = Path(directory, "healthcheck")
        subprocess.run([sys.executable, "-m", "healthcheck.install", launcher], check=True)
        environment = {"HEALTH_STATE_PATH": str(Path(directory, "health.json"))}
        commands = {
            "bare Python": [python, "-I", "-S", "-c", "pass"],
            "probe": [str(launcher)],
            "probe --json": [str(launcher), "--json"],
        }
        report(commands, environment, pairs)
        lines = launcher.read_text().splitlines()
        probing = "\n".join(line for line in lines if not line.startswith(("#!", "from os", "_exit")))
        sizes = peak_mb(python, "pass", environment), peak_mb(python, probing, environment)
        print(f"peak memory: bare Python {sizes[0]:.1f} MB, probe {sizes[1]:.1f} MB")
    where = f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    print(f"machine: {os.cpu_count()} cores, {where}")


def report(commands: dict[str, list[str]], environment: dict[str, str], pairs: int) -> None:
    """Run the commands in turn, so that what disturbs one disturbs all, and print a line for each."""
    runs: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        once(command, environment)
    for _ in range(pairs):
        for name, command in commands.items():
            runs[name].append(once(command, environment))
    first = next(iter(runs.values()))
    for name, times in runs.items():
        above = statistics.median(took - base for took, base in zip(times, first, strict=True))
        late = sorted(times)[int(0.95 * pairs)]
        print(f"{name:<24} median {statistics.median(times):5.1f} ms   p95 {late:5.1f} ms   above bare {above:5.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
