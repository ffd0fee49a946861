"""A stack that a test brings up with the real CLI, and looks at through the real API and Docker."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import testinfra
import yaml

from infra import names
from infra.images import ROOT
from ops.stack import Stack, StackError
from tools.stack_state import ensure_stack

HEALTHY_LIMIT_S = 120
COMMAND_LIMIT_S = 900


def free_ports(count: int) -> list[int]:
    """Different loopback ports that nothing listens on."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port() -> int:
    """A loopback port that nothing listens on."""
    return free_ports(1)[0]


def wait_for(condition: Callable[[], Any], what: str, limit_s: float = HEALTHY_LIMIT_S) -> Any:
    """Wait until `condition` is true and return its value; fail and say what was waited for."""
    ends = time.monotonic() + limit_s
    while True:
        if value := condition():
            return value
        if time.monotonic() > ends:
            raise AssertionError(f"waited {limit_s:.0f} s for {what}; last seen: {value!r}")
        time.sleep(0.2)


class Deployment(Stack):
    """A stack of a test: settings in a file of its own, state in a folder of its own."""

    def __init__(self, name: str, folder: Path, base_environment: Mapping[str, str]) -> None:
        self.config_file = folder / f"Pulumi.{name}.yaml"
        state = folder / "state"
        state.mkdir(parents=True)
        environment = {
            **base_environment,
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "for tests only",
            "CORTEX_STACK": name,
        }
        environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
        super().__init__(name, environment)
        self.settings: dict[str, Any] = {}
        self.root = ROOT
        """The checkout whose program makes the stack (`tests.deploy.release`)."""
        ensure_stack(name, environment)

    def set(self, settings: Mapping[str, Any]) -> None:
        """Replace whole groups of settings."""
        self.settings |= settings
        body = {"config": {f"cortex:{key}": value for key, value in self.settings.items()}}
        self.config_file.write_text(yaml.safe_dump(body))

    def run(self, *arguments: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run Pulumi on this stack and capture what it says."""
        self.__dict__.pop("outputs", None)
        needs_config = arguments[0] in {"up", "preview", "destroy", "refresh", "config"}
        done = subprocess.run(
            [
                "pulumi",
                *arguments,
                "--stack",
                self.name,
                "--non-interactive",
                "--color=never",
                *(["--config-file", str(self.config_file)] if needs_config else []),
            ],
            cwd=self.root,
            # The environment's own packages are those of this checkout.
            env={**self.environment, "PYTHONPATH": str(self.root)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"pulumi {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done

    def up(self) -> str:
        """`pulumi up`; what it said."""
        return self.run("up", "--yes", "--skip-preview").stdout

    def preview_is_empty(self) -> bool:
        """Whether a preview would change nothing."""
        return self.run("preview", "--expect-no-changes", check=False).returncode == 0

    def purge(self) -> None:
        """Remove everything, the store too. Used at the end, whatever state the test left."""
        with suppress(StackError, AssertionError):
            self.run("state", "unprotect", "--all", "--yes")
        with suppress(StackError, AssertionError):
            self.run("destroy", "--yes", "--skip-preview")
        self.docker(["volume", "rm", "--force", self.volume, names.on_host(self.name, "backups")])

    def inspect(self, part: str | None = None) -> dict[str, Any]:
        """What Docker says of a container: of the store's server, or of another part such as `gateway`."""
        inspected: dict[str, Any] = json.loads(self.docker(["inspect", self.container(part)]))[0]
        return inspected

    def health(self, part: str | None = None) -> str:
        """Docker's word on a container's health."""
        return str(self.inspect(part)["State"]["Health"]["Status"])

    def wait_healthy(self) -> None:
        """Wait until Docker calls every container healthy, and the gateway passes requests on."""
        for part in self.parts():
            wait_for(lambda part=part: self.health(part) == "healthy", f"{part} to be healthy")
        wait_for(self.serves, f"{self.output('url')}/healthz to be well")

    def serves(self) -> bool:
        """Whether the stack says of itself, from outside, that it is well."""
        try:
            with self.client() as client:
                return client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def host(self, user: str | None = None, part: str | None = None) -> Any:
        """The inside of a container, for testinfra."""
        return testinfra.get_host(f"docker://{user + '@' if user else ''}{self.container(part)}")

    def trust(self) -> ssl.SSLContext:
        """What a client trusts that was given the stack's own authority, and nothing else."""
        return ssl.create_default_context(cadata=self.authority)

    def client(self, token: str | None = None, *, trust: ssl.SSLContext | None = None) -> httpx.Client:
        """An HTTP client of the gateway, by TLS.

        Args:
            token: A word of a token; the admin's without one.
            trust: Whom the client trusts, if not the stack's own authority.
        """
        return httpx.Client(
            base_url=self.output("url"),
            headers={"Authorization": f"Bearer {token or self.token()}"},
            verify=trust or self.trust(),
            timeout=60,
            trust_env=False,
        )

    def metrics_client(self) -> httpx.Client:
        """An HTTP client of the published door for metrics and the guard's endpoints."""
        port = self.settings["health"]["port"]
        return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)


def server_pid(deployment: Deployment) -> int:
    """Id, on the host, of the API's process in the store's server."""
    lines = deployment.docker(["top", deployment.container(), "-o", "pid,args"]).splitlines()[1:]
    (pid,) = [int(line.split()[0]) for line in lines if line.endswith("-m cortex_api") and "guard" not in line]
    return pid
