"""What this machine has of what `up` needs: version, origin, and what to do about the rest. Changes nothing."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from tools import certificates, docker_engine, go_toolchain, image_builder, os_image, vendor
from tools.binaries import find
from tools.docker_engine import Engine
from tools.host import Host, this_host
from tools.locations import Locations, locations
from tools.versions import ALWAYS, BACKUP, BUILDKIT, Tool

MAKE_UP = "`make up` brings it"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is there or not.

    Attributes:
        name: What was looked for.
        present: Whether it is there and will do.
        detail: Version and origin; if it is missing, why.
        remedy: What to do if it is missing.
    """

    name: str
    present: bool
    detail: str
    remedy: str = MAKE_UP


def check(where: Locations, host: Host) -> list[Check]:
    """Looks at everything `up` needs."""
    engine = docker_engine.find()
    containers = engine.containers if engine else Host("linux", host.go_arch)
    return [
        Check("Python", present=True, detail=platform.python_version()),
        _engine(engine),
        *(_tool(tool, where, host) for tool in ALWAYS),
        *(_tool(tool, where, containers) for tool in BACKUP),
        *_building(where, host),
        _passphrase(where),
    ]


def report(checks: Sequence[Check], console: Console) -> int:
    """Prints the findings and returns the exit code: 1 if something is missing."""
    width = max(len(one.name) for one in checks)
    for one in checks:
        mark = "[green]✓[/green]" if one.present else "[red]✗[/red]"
        remedy = "" if one.present else f"; {one.remedy}"
        console.print(f"{mark} {one.name:<{width}}  {escape(one.detail + remedy)}")
    lacking = sum(not one.present for one in checks)
    console.print(f"{lacking} missing" if lacking else "Everything is there.")
    return 1 if lacking else 0


def main(console: Console) -> int:
    """Looks and prints; returns the exit code."""
    where, host = locations(), this_host()
    code = report(check(where, host), console)
    console.print(f"cache {where.cache}\nstate {where.state}")
    if code:
        answers = vendor.Vendor(where, host).answers()
        go = go_toolchain.find(where)
        sources = f"the vendor answers: {'yes' if answers else 'no, tools will be built from Go modules'}"
        console.print(f"{sources}; Go: {f'{go.version} ({go.source})' if go else 'fetched when it is needed'}")
    if bundle := certificates.bundle():
        console.print(f"builds trust {bundle}")
    return code


def _engine(engine: Engine | None) -> Check:
    if engine is None:
        remedy = MAKE_UP if docker_engine.installable() else docker_engine.remedy()
        return Check("Docker engine", present=False, detail="does not answer", remedy=remedy)
    return Check("Docker engine", present=True, detail=f"{engine.version} at {engine.host or 'the default socket'}")


def _tool(tool: Tool, where: Locations, host: Host) -> Check:
    found = find(tool, where, host)
    if found is None:
        return Check(tool.name, present=False, detail=f"no {tool.version}")
    return Check(tool.name, present=True, detail=f"{tool.version}, {found.source}: {found.folder}")


def _building(where: Locations, host: Host) -> list[Check]:
    """The builder, and the OS image where builds cannot pull one."""
    if image_builder.own_builder(where) is None:
        possible = image_builder.container_builder_possible(pull=False)
        return [Check("image builder", present=possible, detail="BuildKit in a container" if possible else "none yet")]
    buildkit = find(BUILDKIT, where, host)
    running = buildkit is not None and image_builder.answers(where, buildkit.file("buildctl"))
    state = f"own buildkitd {BUILDKIT.version}, {'running' if running else 'not running'}"
    image = os_image.find(where, host)
    return [
        Check("image builder", present=running, detail=state),
        Check("OS image", present=image is not None, detail=image.runtime.name if image else "not made yet"),
    ]


def _passphrase(where: Locations) -> Check:
    for variable in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        if variable in os.environ:
            return Check("passphrase", present=True, detail=f"from {variable}")
    there = where.passphrase.is_file()
    return Check("passphrase", present=there, detail=str(where.passphrase) if there else "not made yet")
