"""Labels that tell a stack's containers apart from all others, and the ones that stay from the ones that end."""

from __future__ import annotations

import pulumi_docker as docker

from infra import names


def labels(stack: str, kind: str) -> list[docker.ContainerLabelArgs]:
    """The labels of a container.

    Args:
        stack: Name of the stack.
        kind: `names.SERVICE` or `names.WRITER`.
    """
    return [
        docker.ContainerLabelArgs(label=names.KIND_LABEL, value=kind),
        docker.ContainerLabelArgs(label=names.STACK_LABEL, value=stack),
    ]
