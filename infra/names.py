"""Names of things outside Pulumi, made in one place: the same stack finds the same things from every checkout."""

from __future__ import annotations

PROJECT = "cortex"


def on_host(stack: str, part: str = "") -> str:
    """Name of a container, volume or network on a Docker host, such as `cortex-dev-store`."""
    return "-".join(word for word in (PROJECT, stack, part) if word)
