"""How a container is run that does one thing beside a stack's own, and ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from infra.one_shot import TMPFS_BYTES
from ops.docker_host import DockerHost


def inspected(host: DockerHost, name: str) -> dict[str, Any]:
    """What Docker says of a container.

    Raises:
        StackError: There is none.
    """
    (found,) = json.loads(host.docker(["inspect", name]))
    return dict(found)


def command(
    image: str,
    program: Sequence[str],
    *,
    user: str,
    network: str = "none",
    options: Sequence[str] = (),
    keep: bool = False,
) -> list[str]:
    """Arguments of the docker command that run it, with as few rights as it can do with.

    Args:
        image: Its image.
        program: What it runs, with arguments.
        user: As whom.
        network: Its network.
        options: Mounts, variables, a name.
        keep: Leave it there when it has ended.
    """
    return [
        *("run", *(() if keep else ("--rm",)), "--user", user, "--read-only", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--log-driver", "none"),
        *("--tmpfs", f"/tmp:rw,noexec,nosuid,nodev,size={TMPFS_BYTES}"),  # noqa: S108 - a mount
        *("--network", network),
        *options,
        *("--entrypoint", program[0], image, *program[1:]),
    ]
