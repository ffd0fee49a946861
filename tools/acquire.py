"""Gets the tools that are not there yet: from the vendor where it answers, else by building them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tools import go_build, go_toolchain, recipe
from tools.binaries import Found, built_folder, find, find_all
from tools.errors import OutOfReachError, ToolError
from tools.host import Host
from tools.locations import Locations
from tools.progress import Step
from tools.vendor import Vendor
from tools.versions import UV, Tool


def ensure(tools: Sequence[Tool], where: Locations, host: Host, step: Step) -> dict[str, Found]:
    """All of `tools`, by name.

    A server that does not answer, or lacks the release, leads to a build. A download with a wrong checksum does not:
    that is refused, because somebody may want it to be overlooked.

    Raises:
        ToolError: A download was refused, or a build failed.
    """
    found = find_all(tools, where, host)
    lacking = [tool for tool in tools if tool.name not in found]
    if not lacking:
        return found
    vendor = Vendor(where, host)
    to_build: list[Tool] = []
    for tool in lacking:
        try:
            vendor.fetch(tool, lambda doing: setattr(step, "doing", doing))
        except OutOfReachError:
            to_build.append(tool)
    if to_build:
        _build(to_build, where, host, step)
    return {tool.name: _there(tool, where, host) for tool in tools}


def link_plugins(found: Sequence[Found], where: Locations) -> None:
    """Puts the plugins where Pulumi looks for them, by version, so that it neither warns nor downloads."""
    for plugin in found:
        tool = plugin.tool
        if not tool.plugin:
            continue
        folder = where.pulumi_home / "plugins" / f"resource-{tool.plugin}-v{tool.version}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in tool.binaries:
            link, binary = folder / name, plugin.file(name)
            if link.is_symlink() and link.readlink() == binary:
                continue
            fresh = folder / f".{name}.fresh"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(binary)
            fresh.replace(link)


def uv_command(where: Locations) -> Path:
    """The uv that bootstrap.sh used.

    Raises:
        ToolError: There is none; bootstrap.sh was not run.
    """
    own = where.cache / f"uv-{UV}" / "bin" / "uv"
    if own.is_file():
        return own
    if on_path := shutil.which("uv"):
        return Path(on_path)
    raise ToolError("uv is missing; run `sh tools/bootstrap.sh`")


def _build(tools: Sequence[Tool], where: Locations, host: Host, step: Step) -> None:
    recipes = [recipe.load(name) for tool in tools for name in tool.recipes]
    if go_build.missing(recipes, where, host):
        step.doing = "fetching Go"
        go = go_toolchain.find(where) or go_toolchain.fetch(where, uv_command(where))
        go_build.build_all(recipes, go, where, host, lambda doing: setattr(step, "doing", doing))
    for tool in tools:
        _join(tool, where, host)


def _join(tool: Tool, where: Locations, host: Host) -> None:
    """Brings the results of a tool's recipes into one folder (hard links: no second copy on the disk)."""
    folder = built_folder(tool, where, host)
    if folder.is_dir():
        return
    with go_build.only_builder(where, lambda: None):
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in tool.recipes:
            for binary in recipe.load(name).target(where, host).iterdir():
                (partial / binary.name).hardlink_to(binary)
        if not folder.is_dir():
            partial.replace(folder)


def _there(tool: Tool, where: Locations, host: Host) -> Found:
    found = find(tool, where, host)
    if found is None:
        raise ToolError(f"{tool.name} {tool.version} was fetched but is not in {where.toolchain}")
    return found
