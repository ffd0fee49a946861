"""What the guard in a running container says of it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from infra.topologies.parts import PROBE
from ops.stack import Stack, StackError


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container, as Docker and its own guard see it.

    Attributes:
        name: Its name.
        status: Docker's word: running, exited, restarting.
        health: Docker's word: healthy, unhealthy, starting; empty without a health check.
        restarts: How often Docker started it again.
        said: The guard's state as the probe prints it: `phase`, `writable`, `judgements`, `actions` …; empty when the
            container does not run.
    """

    name: str
    status: str
    health: str
    restarts: int
    said: dict[str, Any]


def look(stack: Stack, container: str) -> ContainerState:
    """Inspect a container and run its probe once.

    Raises:
        StackError: There is no such container.
    """
    inspected = json.loads(stack.docker(["inspect", container]))[0]
    state = inspected["State"]
    return ContainerState(
        name=container,
        status=state["Status"],
        health=state.get("Health", {}).get("Status", ""),
        restarts=inspected["RestartCount"],
        said=_probe(stack, container) if state["Status"] == "running" else {},
    )


def _probe(stack: Stack, container: str) -> dict[str, Any]:
    # An unhealthy container makes the probe exit with 1 and still tell everything.
    done = subprocess.run(
        ["docker", "exec", container, PROBE, "--json"],
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise StackError(
            f"the probe of {container} said nothing usable: {done.stderr.strip() or done.stdout}"
        ) from None
    return said
