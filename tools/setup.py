"""Everything between a fresh machine and a `pulumi up` that works, in order, each step only if it is needed."""

from __future__ import annotations

from dataclasses import dataclass

from tools import acquire, backup_tools, certificates, docker_engine, image_builder, os_image, passphrase
from tools.binaries import BUILT, Found
from tools.host import Host, this_host
from tools.locations import Locations, locations, private_dir
from tools.progress import Progress, seconds
from tools.versions import ALWAYS, BACKUP, BUILDKIT, DOCKER


@dataclass(frozen=True, slots=True)
class Ready:
    """What `up` found or made.

    Attributes:
        tools: By name.
        builder: Name of the own builder, or None for Docker's own choice.
    """

    tools: dict[str, Found]
    builder: str | None


def up(progress: Progress) -> Ready:
    """Makes this machine ready; a second run finds everything in place.

    Raises:
        ToolError: What is missing cannot be had here; the message says what would do.
    """
    where, host = locations(), this_host()
    with progress.step("State") as step:
        private_dir(where.state)
        passphrase.ensure(where.passphrase)
        step.outcome = str(where.state)
    with progress.step("Docker engine") as step:
        engine = docker_engine.ensure(where, step)
        step.outcome = f"{engine.version}, answering"
    with progress.step("Pulumi and plugins") as step:
        tools = acquire.ensure(ALWAYS, where, host, step)
        acquire.link_plugins(list(tools.values()), where)
        note = "; the Docker plugin is not the official one: docs/install.md"
        step.outcome = _origins(tools, note if tools[DOCKER.name].source == BUILT else "")
    with progress.step("Backup tools") as step:
        containers = engine.containers
        for_backups = acquire.ensure(BACKUP, where, containers, step)
        backup_tools.lay_out(for_backups, where, containers)
        step.outcome = _origins(for_backups)
    builder = _builder(where, host, progress)
    if builder is not None:
        with progress.step("OS image") as step:
            if os_image.find(where, host) is None:
                os_image.make(where, host, acquire.uv_command(where), step)
            step.outcome = os_image.target(where, host).name
    progress.console.print(f"Ready in {seconds(progress.elapsed_s)}.{_trust()}")
    return Ready(tools, builder)


def _builder(where: Locations, host: Host, progress: Progress) -> str | None:
    with progress.step("Image builder") as step:
        own = image_builder.own_builder(where)
        if own is None:
            step.doing = f"asking Docker for {image_builder.CONTAINER_IMAGE}"
            if image_builder.container_builder_possible(pull=True):
                step.outcome = "BuildKit in a container"
                return None
        buildkit = acquire.ensure([BUILDKIT], where, host, step)[BUILDKIT.name]
        step.doing = "starting buildkitd"
        started = image_builder.ensure_own(
            where, buildkitd=buildkit.file("buildkitd"), buildctl=buildkit.file("buildctl")
        )
        step.outcome = f"own buildkitd {BUILDKIT.version}, {'started' if started else 'running'}"
        return image_builder.NAME


def _origins(tools: dict[str, Found], note: str = "") -> str:
    said = [f"{found.tool.name.removeprefix('pulumi-resource-')} {found.tool.version}" for found in tools.values()]
    sources = ", ".join(sorted({found.source for found in tools.values()}))
    return f"{', '.join(said)} ({sources}{note})"


def _trust() -> str:
    bundle = certificates.bundle()
    return f" Builds trust {bundle}." if bundle else ""
