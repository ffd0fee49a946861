"""What the program costs beyond the bare tools, in one run and as ratios.

- `pulumi up` from built images to a healthy container, against the plain Docker calls for the same container
  (default settings: Docker runs its first check after 10 s, which both wait for)
- a preview that changes nothing, against the same preview of an empty program (the CLI's own floor)

Run: `make bench-deploy`. Makes stacks and containers of its own and removes them.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.deploy.conftest import SETTINGS
from tests.deploy.deployment import Deployment, free_port, wait_for
from tools.environment import environment

UP_TARGET, PREVIEW_TARGET = 1.5, 2.5
HEALTH_POLL_LIMIT_S = 120


def timed(action: Callable[[], object]) -> float:
    """Seconds that `action` takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def docker(*arguments: str) -> str:
    """Run a Docker command; what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class PlainDocker:
    """The same container as the stack's, made by Docker commands alone."""

    def __init__(self, stack: Deployment) -> None:
        inspected = stack.inspect()
        self.image = inspected["Image"]
        self.config, self.host = inspected["Config"], inspected["HostConfig"]
        self.tokens = stack.host("root").check_output("cat /run/cortex/secrets/tokens.json")
        self.name = f"cortex-bench-{secrets.token_hex(4)}"
        self.port = free_port()

    def up(self) -> None:
        """Network, volumes, secret file, container; until Docker calls it healthy."""
        check, name = self.config["Healthcheck"], self.name
        docker("network", "create", name)
        docker("volume", "create", f"{name}-store")
        docker("volume", "create", f"{name}-secrets")
        mount = f"{name}-secrets:/run/cortex/secrets"
        write = "cat > /run/cortex/secrets/tokens.json && chown 0:10001 /run/cortex/secrets/tokens.json"
        command = ["docker", "run", "--rm", "-i", "--user", "0:0", "--network", "none", "--volume", mount]
        command += ["--entrypoint", "/bin/sh", self.image, "-euc", write]
        subprocess.run(command, input=self.tokens, text=True, capture_output=True, check=True)
        docker(
            *("run", "--detach", "--name", name, "--network", name, "--publish", f"127.0.0.1:{self.port}:8080"),
            *(item for pair in self.config["Env"] for item in ("--env", pair)),
            *("--memory", str(self.host["Memory"]), "--memory-swap", str(self.host["MemorySwap"])),
            *("--memory-reservation", str(self.host["MemoryReservation"]), "--cpus", str(self.host["NanoCpus"] / 1e9)),
            *("--user", self.config["User"], "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--restart", "unless-stopped"),
            *("--health-cmd", check["Test"][1], "--health-interval", f"{check['Interval']}ns"),
            *("--health-timeout", f"{check['Timeout']}ns", "--health-retries", str(check["Retries"])),
            *("--health-start-period", f"{check['StartPeriod']}ns"),
            *("--volume", f"{name}-store:/data", "--volume", f"{mount}:ro", self.image),
        )
        health = ("inspect", "--format", "{{.State.Health.Status}}", name)
        wait_for(lambda: docker(*health) == "healthy", f"{name} to be healthy", HEALTH_POLL_LIMIT_S)

    def down(self) -> None:
        """Remove it all."""
        docker("rm", "--force", "--volumes", self.name)
        docker("volume", "rm", f"{self.name}-store", f"{self.name}-secrets")
        docker("network", "rm", self.name)


class EmptyProgram:
    """A Pulumi program that makes nothing: what the CLI and its language host cost by themselves."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder, self.environ = folder, environ
        (folder / "state").mkdir(parents=True)
        self.environ = {**environ, "PULUMI_BACKEND_URL": f"file://{folder}/state", "PULUMI_CONFIG_PASSPHRASE": "bench"}
        self.environ.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "empty", "runtime": "python"}))
        (folder / "__main__.py").write_text('"""Nothing."""\n')
        self.pulumi("stack", "init", "bench")
        self.pulumi("up", "--yes", "--skip-preview")

    def pulumi(self, *arguments: str) -> None:
        """Run Pulumi on the empty program."""
        subprocess.run(["pulumi", *arguments], cwd=self.folder, env=self.environ, capture_output=True, check=True)


def main() -> int:
    """Measure, print, and say whether the targets hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turn")
    rounds = parser.parse_args().rounds
    environ = environment()
    figures: dict[str, list[float]] = {"pulumi up": [], "plain docker": [], "preview": [], "empty preview": []}
    with tempfile.TemporaryDirectory(prefix="cortex-bench-") as scratch:
        empty = EmptyProgram(Path(scratch) / "empty", environ)
        for turn in range(rounds + 1):  # the first warms image, page cache and byte code, and does not count
            stack = Deployment(f"bench-{secrets.token_hex(4)}", Path(scratch) / str(turn), environ)
            stack.set({"corpus": SETTINGS["corpus"], "access": {"port": free_port()}})
            try:
                times = {"pulumi up": timed(stack.up)}
                stack.wait_healthy()
                plain = PlainDocker(stack)
                times["plain docker"] = timed(plain.up)
                plain.down()
                stack.run("preview", "--expect-no-changes")
                times["preview"] = timed(lambda stack=stack: stack.run("preview", "--expect-no-changes"))
                times["empty preview"] = timed(lambda: empty.pulumi("preview", "--expect-no-changes"))
            finally:
                stack.purge()
            said = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items())
            print(f"{'warm-up' if turn == 0 else f'round {turn}'}: {said}", flush=True)
            if turn:
                for name, seconds in times.items():
                    figures[name].append(seconds)
    median = {name: statistics.median(values) for name, values in figures.items()}
    up_ratio = median["pulumi up"] / median["plain docker"]
    preview_ratio = median["preview"] / median["empty preview"]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds, medians")
    held = up_ratio <= UP_TARGET and preview_ratio <= PREVIEW_TARGET
    print(
        f"up {up_ratio:.2f}x of plain Docker (target {UP_TARGET}), "
        f"no-op preview {preview_ratio:.2f}x of an empty program (target {PREVIEW_TARGET}): "
        f"{'both hold' if held else 'NOT within the targets'}"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
