"""What one health probe costs beside a bare Python start, in pairs: `python tests/bench/probe_cost.py [PAIRS]`.

The probe asks a local server that answers at once, walks a store of 100 index folders, and runs by its launcher as in
the image. Time is wall clock of the whole process; memory is the largest resident size of the process.
"""

import http.server
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BODY = json.dumps(
    {"status": "ok", "canary": {"ok": True, "age_s": 1.0, "write_ms": 1.0, "read_ms": 1.0, "error": None}}
).encode()


class Api(http.server.BaseHTTPRequestHandler):
    """Answers as the API does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


def once(command: list[str], environment: dict[str, str]) -> float:
    """Wall time in ms of one run."""
    start_s = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    took_ms = 1e3 * (time.perf_counter() - start_s)
    if done.returncode != 0:
        raise SystemExit(f"{command} ended with status {done.returncode}")
    return took_ms


def peak_mb(python: str, code: str, environment: dict[str, str]) -> float:
    """Largest resident size of a process that runs the code, as the kernel tells the process at its end."""
    tell = "\nimport sys\nfor line in open('/proc/self/status'):\n    'VmHWM' in line and sys.stderr.write(line)"
    command = [python, "-I", "-S", "-c", code + tell]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return int(done.stderr.split()[1]) / 1024


def make_store(root: Path) -> None:
    """100 index folders with their files, and the database."""
    (root / "chroma.sqlite3").write_bytes(b"x" * 100_000)
    for number in range(100):
        folder = root / f"{number:036d}"
        folder.mkdir()
        for name in ("header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "index_metadata.pickle"):
            (folder / name).write_bytes(b"x" * 1000)


def group_with_limit() -> str | None:
    """Join a control group of 512 MiB, which is what a container has; None where this user may not make one."""
    group = Path(f"/sys/fs/cgroup/memory/cortex-bench-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(512 << 20))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError:
        return None
    return str(group)


def main(pairs: int) -> None:
    """Measure and print."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    python = os.path.realpath(sys.executable)
    with tempfile.TemporaryDirectory() as directory:
        launcher, store = Path(directory, "healthcheck"), Path(directory, "store")
        store.mkdir()
        make_store(store)
        subprocess.run([sys.executable, "-m", "healthcheck.install", launcher], check=True)
        environment = {
            "HEALTH_URL": f"http://127.0.0.1:{server.server_port}/healthz",
            "HEALTH_STORE_PATH": str(store),
            "HEALTH_STORE_BYTES": str(10 << 30),
            "HEALTH_DISK_PERCENT": "100",
            "HEALTH_MEMORY_PERCENT": "100",
        }
        bare = {"bare Python": [python, "-I", "-S", "-c", "pass"]}
        report({**bare, "probe, no limit: psutil": [str(launcher)]}, environment, pairs)
        group = group_with_limit()
        report({**bare, "probe": [str(launcher)], "probe --json": [str(launcher), "--json"]}, environment, pairs)
        lines = launcher.read_text().splitlines()
        probing = "\n".join(line for line in lines if not line.startswith(("#!", "from os", "_exit")))
        sizes = peak_mb(python, "pass", environment), peak_mb(python, probing, environment)
        print(f"peak memory: bare Python {sizes[0]:.1f} MB, probe {sizes[1]:.1f} MB")
    print(f"memory limit of 512 MiB: {'yes' if group else 'no, this user may not set one'}")
    where = f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"
    print(f"machine: {os.cpu_count()} cores, {where}")
    if group:
        Path(group).parent.joinpath("cgroup.procs").write_text(str(os.getpid()))
        Path(group).rmdir()


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
