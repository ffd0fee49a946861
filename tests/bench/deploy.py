"""What the program costs beyond the bare tools, in one run and as ratios.

- `pulumi up` from built images to healthy containers, against the plain Docker calls for the same containers
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.topologies.parts import API, DATA, EDGE, GATEWAY
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


@dataclass(frozen=True)
class Part:
    """A container of the stack, as Docker knows it."""

    name: str
    config: dict[str, Any]
    host: dict[str, Any]
    mounts: list[dict[str, Any]]
    networks: list[str]
    folder: str
    """Where its files are."""
    files: bytes
    """Those as a tar archive, as the stack's volume has them."""

    @classmethod
    def of(cls, stack: Deployment, name: str) -> Part:
        """Look at a container of a stack."""
        inspected = stack.inspect(name)
        (folder,) = [each["Destination"] for each in inspected["Mounts"] if not each["RW"]]
        copy = ["docker", "cp", f"{stack.container(name)}:{folder}/.", "-"]
        return cls(
            name=name,
            config=inspected["Config"],
            host=inspected["HostConfig"],
            mounts=inspected["Mounts"],
            networks=[each.removeprefix(f"cortex-{stack.name}-") for each in inspected["NetworkSettings"]["Networks"]],
            folder=folder,
            files=subprocess.run(copy, capture_output=True, check=True).stdout,
        )

    def arguments(self) -> list[str]:
        """What `docker create` is told of it, but for names, networks, volumes and ports."""
        check, config, host = self.config["Healthcheck"], self.config, self.host
        return [
            *(item for pair in config["Env"] for item in ("--env", pair)),
            *("--memory", str(host["Memory"]), "--memory-swap", str(host["MemorySwap"])),
            *("--memory-reservation", str(host["MemoryReservation"]), "--cpus", str(host["NanoCpus"] / 1e9)),
            *("--user", config["User"], "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--restart", "unless-stopped"),
            *("--health-cmd", check["Test"][1], "--health-interval", f"{check['Interval']}ns"),
            *("--health-timeout", f"{check['Timeout']}ns", "--health-retries", str(check["Retries"])),
            *("--health-start-period", f"{check['StartPeriod']}ns"),
        ]


class PlainDocker:
    """The same containers as the stack's, made by Docker commands alone."""

    def __init__(self, stack: Deployment) -> None:
        self.parts = [Part.of(stack, name) for name in (API, GATEWAY)]
        self.name = f"cortex-bench-{secrets.token_hex(4)}"
        self.port = free_port()

    def up(self) -> None:
        """Networks, volumes, files, containers; until Docker calls both healthy."""
        docker("network", "create", f"{self.name}-{EDGE.name}")
        docker("network", "create", "--internal", f"{self.name}-{DATA.name}")
        for part in self.parts:
            self._fill(part)
        for part in self.parts:
            self._start(part)
        for part in self.parts:
            health = ("inspect", "--format", "{{.State.Health.Status}}", f"{self.name}-{part.name}")
            wait_for(lambda health=health: docker(*health) == "healthy", f"{health[-1]} healthy", HEALTH_POLL_LIMIT_S)

    def _fill(self, part: Part) -> None:
        """The volume with a container's files, by way of a container that is never started."""
        writer, volume = f"{self.name}-{part.name}-writer", f"{self.name}-{part.name}-files"
        docker("volume", "create", volume)
        docker("create", "--name", writer, "--volume", f"{volume}:{part.folder}", part.config["Image"])
        copy = ["docker", "cp", "-", f"{writer}:{part.folder}"]
        subprocess.run(copy, input=part.files, capture_output=True, check=True)
        docker("rm", writer)

    def _start(self, part: Part) -> None:
        container = f"{self.name}-{part.name}"
        volumes = [
            f"{container}-store:{each['Destination']}" if each["RW"] else f"{container}-files:{each['Destination']}:ro"
            for each in part.mounts
        ]
        ports = ["--publish", f"127.0.0.1:{self.port}:8443"] if part.name == GATEWAY else []
        first, *others = part.networks
        docker(
            *("create", "--name", container, "--network", f"{self.name}-{first}", "--network-alias", part.name),
            *(item for volume in volumes for item in ("--volume", volume)),
            *ports,
            *part.arguments(),
            part.config["Image"],
        )
        for network in others:
            docker("network", "connect", "--alias", part.name, f"{self.name}-{network}", container)
        docker("start", container)

    def down(self) -> None:
        """Remove it all, or as much as was made."""
        for kind, remove in ((("ps", "--all"), ("rm", "--force")), (("volume", "ls"), ("volume", "rm"))):
            if found := docker(*kind, "--quiet", "--filter", f"name={self.name}").split():
                docker(*remove, *found)
        if found := docker("network", "ls", "--quiet", "--filter", f"name={self.name}").split():
            docker("network", "rm", *found)


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
                try:
                    times["plain docker"] = timed(plain.up)
                finally:
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
