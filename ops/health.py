"""What the guard in a running container says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from infra.topologies.parts import PROBE
from ops.docker_host import DockerHost
from ops.stack import Stack, StackError

PROBE_LIMIT_S = 60


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
    host = stack.host_of(container)
    inspected = json.loads(host.docker(["inspect", container]))[0]
    state = inspected["State"]
    return ContainerState(
        name=container,
        status=state["Status"],
        health=state.get("Health", {}).get("Status", ""),
        restarts=inspected["RestartCount"],
        said=_probe(host, container) if state["Status"] == "running" else {},
    )


def _probe(host: DockerHost, container: str) -> dict[str, Any]:
    # An unhealthy container makes the probe exit with 1 and still tell everything.
    done = host.try_docker(["exec", container, PROBE, "--json"], PROBE_LIMIT_S)
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise StackError(
            f"the probe of {container} said nothing usable: {done.stderr.strip() or done.stdout}"
        ) from None
    return said
