"""What the in-image probe says of a running container."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from infra.topologies.single_node import PROBE
from ops.stack import Stack, StackError


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container, as Docker and its own probe see it.

    Attributes:
        name: Its name.
        status: Docker's word: running, exited, restarting.
        health: Docker's word: healthy, unhealthy, starting; empty without a health check.
        restarts: How often Docker started it again.
        judgements: What the probe measured just now, in its own JSON; empty when it does not run.
    """

    name: str
    status: str
    health: str
    restarts: int
    judgements: list[dict[str, Any]]


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
        judgements=_probe(stack, container) if state["Status"] == "running" else [],
    )


def _probe(stack: Stack, container: str) -> list[dict[str, Any]]:
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
        return list(json.loads(done.stdout)["judgements"])
    except (ValueError, KeyError):
        raise StackError(
            f"the probe of {container} said nothing usable: {done.stderr.strip() or done.stdout}"
        ) from None
