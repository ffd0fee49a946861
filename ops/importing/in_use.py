"""Does a running container have the source? A copy of what a server writes is no copy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ops.docker_host import DockerHost
from ops.errors import StackError
from ops.importing.sources import Directory, Volume


def refuse_used(host: DockerHost, source: Directory | Volume) -> None:
    """Raise when a running container of this host has the source mounted.

    Raises:
        StackError: One has; or the host does not answer.
    """
    ids = host.docker(["ps", "--quiet", "--no-trunc"]).split()
    if not ids:
        return
    # One may have ended since; the others are told all the same.
    said = host.try_docker(["inspect", *ids]).stdout
    if names := users(json.loads(said or "[]"), source):
        raise StackError(
            f"{source} is used by {', '.join(names)}, which runs. Stop it, so that nothing is written meanwhile: "
            f"docker stop {' '.join(names)}"
        )


def users(containers: Sequence[Mapping[str, Any]], source: Directory | Volume) -> list[str]:
    """Names of the containers that have the source mounted, or a part of it, or a folder that holds it.

    Args:
        containers: As `docker inspect` tells them.
        source: Directory or volume.
    """
    return sorted(
        str(each["Name"]).lstrip("/")
        for each in containers
        if any(_has(mount, source) for mount in each.get("Mounts") or ())
    )


def _has(mount: Mapping[str, Any], source: Directory | Volume) -> bool:
    if isinstance(source, Volume):
        return mount.get("Type") == "volume" and mount.get("Name") == source.name
    there = PurePosixPath(str(mount.get("Source") or "/nowhere"))
    here = PurePosixPath(source.path)
    # A container that has the host's whole root sees everything and is no server of this directory.
    if there == PurePosixPath("/"):
        return False
    # A parent that is mounted for reading only is another's look at the host, such as a monitor's.
    return there == here or here in there.parents or (there in here.parents and bool(mount.get("RW", True)))
