"""Names of things outside Pulumi, made in one place: the same stack finds the same things from every checkout."""

from __future__ import annotations

PROJECT = "cortex"
STACK_LABEL = f"{PROJECT}.stack"
KIND_LABEL = f"{PROJECT}.kind"
# A service runs until it is stopped; a writer ends by itself.
SERVICE, WRITER = "service", "writer"


def on_host(stack: str, part: str = "") -> str:
    """Name of a container, volume or network on a Docker host, such as `cortex-dev-store`."""
    return "-".join(word for word in (PROJECT, stack, part) if word)
