"""What a subprocess needs so that plain `pulumi` works here, and what the Pulumi program must know of this host.

| variable | value | left alone if the user set it |
| --- | --- | --- |
| PATH | the checkout's `.venv/bin`, then the toolchain's folders, then the user's | added to |
| VIRTUAL_ENV | the checkout's `.venv` | no |
| PYTHONDONTWRITEBYTECODE | empty: the program is compiled once, not on every preview | no |
| PULUMI_BACKEND_URL | `file://<state>/pulumi` | yes |
| PULUMI_CONFIG_PASSPHRASE_FILE | `<state>/passphrase`, made on first use (0600) | yes, also if …_PASSPHRASE is set |
| PULUMI_HOME | `<state>/pulumi-home`, which holds the plugins; not set with a backend of the user's | yes |
| PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER | `true`: the salt is read from the state, not from the settings file | yes |
| PULUMI_SKIP_UPDATE_CHECK, PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION | `true`, only if a tool was built here | yes |
| BUILDX_CONFIG | `<state>/buildx`, only with the own builder | no |
| DOCKER_HOST | the current docker context's endpoint, if it is not the default | yes |
| CORTEX_BUILDER | name of the builder instance; unset: Docker's own choice | yes |
| CORTEX_BUILD_NETWORK | `host` if build steps use it; unset: the builder's default | with CORTEX_BUILDER |
| CORTEX_OS_IMAGE | name of the image to build upon; unset: the Dockerfile's default | yes |
| CORTEX_OS_LAYOUT | `oci-layout://…@sha256:…` that holds it, where no registry does | yes |
| CORTEX_BUILD_IMAGE, CORTEX_BUILD_LAYOUT | the same plus uv, for builder stages; unset: the OS image | yes |
| CORTEX_PACKAGES_IMAGE, CORTEX_PACKAGES_LAYOUT | Debian packages for images that add them; unset: apt | yes |
| CORTEX_BACKUP_TOOLS | folder with the programs of the image `backup`, whose tag its name goes into | yes |
| CORTEX_BUILD_CA | PEM bundle that builds must trust; unset: the image's own | yes |

The program gives BuildKit a layout as the named context of the image's name, which needs no registry. The name holds
the layout's digest, so that a new OS image has a new name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tools import backup_tools, certificates, image_builder, os_image, passphrase
from tools.binaries import BUILT, Found, find_all
from tools.docker_engine import docker_host
from tools.errors import ToolError
from tools.host import this_host
from tools.locations import CHECKOUT, Locations, locations
from tools.versions import ALWAYS


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment for a subprocess; the table above says what each variable means.

    Args:
        environ: What to start from (default: this process's own).

    Raises:
        ToolError: A tool is not there yet; `make up` or `python -m tools up` fetches or builds it.
    """
    given = dict(os.environ if environ is None else environ)
    where, host = locations(given), this_host()
    found = find_all(ALWAYS, where, host)
    if lacking := [tool.name for tool in ALWAYS if tool.name not in found]:
        raise ToolError(f"{', '.join(lacking)} missing; run `make up`, or `python -m tools up` for the tools alone")
    added = {
        **_paths(given, list(found.values())),
        **_pulumi(given, where, list(found.values())),
        **_images(given, where),
    }
    if "DOCKER_HOST" not in given and (endpoint := docker_host()):
        added["DOCKER_HOST"] = endpoint
    return {**given, **added}


def _paths(given: Mapping[str, str], found: list[Found]) -> dict[str, str]:
    venv = CHECKOUT / ".venv"
    # Plugins stay off PATH: there, Pulumi would warn about each one on every run.
    folders = [str(tool.folder) for tool in found if not tool.tool.plugin]
    mine = [str(venv / "bin"), *folders]
    theirs = [part for part in given.get("PATH", os.defpath).split(os.pathsep) if part not in mine]
    return {"PATH": os.pathsep.join([*mine, *theirs]), "VIRTUAL_ENV": str(venv), "PYTHONDONTWRITEBYTECODE": ""}


def _pulumi(given: Mapping[str, str], where: Locations, found: list[Found]) -> dict[str, str]:
    wanted = {"PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true"}
    if "PULUMI_BACKEND_URL" not in given:
        where.backend.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted["PULUMI_BACKEND_URL"] = f"file://{where.backend}"
    if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & given.keys():
        wanted["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase.ensure(where.passphrase))
    if own_home(given, where):
        wanted["PULUMI_HOME"] = str(where.pulumi_home)
    else:
        # The user's own home holds their login; the plugins are found on PATH instead, with a warning each.
        plugins = [str(tool.folder) for tool in found if tool.tool.plugin]
        wanted["PATH"] = os.pathsep.join([_paths(given, found)["PATH"], *plugins])
    if any(tool.source == BUILT for tool in found):
        wanted |= {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"}
    return {key: value for key, value in wanted.items() if key == "PATH" or key not in given}


def own_home(given: Mapping[str, str], where: Locations) -> bool:
    """Whether Pulumi gets an own home directory: not if the user chose one, or a backend whose login lies in theirs."""
    # In a shell of ours the variable is set already, by us.
    free = given.get("PULUMI_HOME") in {None, str(where.pulumi_home)}
    return free and not given.get("PULUMI_BACKEND_URL", "").startswith("http")


def _images(given: Mapping[str, str], where: Locations) -> dict[str, str]:
    facts: dict[str, str] = {}
    # In a shell of ours these are set already, by us: an image may have been made anew since.
    chosen_builder = given.get("CORTEX_BUILDER", image_builder.NAME) != image_builder.NAME
    chosen_image = not given.get("CORTEX_OS_IMAGE", os_image.NAME).startswith(os_image.NAME)
    if not chosen_builder and (name := image_builder.own_builder(where)):
        facts |= {"CORTEX_BUILDER": name, "CORTEX_BUILD_NETWORK": "host", "BUILDX_CONFIG": str(where.buildx)}
    if not chosen_image and (image := os_image.find(where, this_host())):
        facts |= {
            "CORTEX_OS_IMAGE": image.runtime.name,
            "CORTEX_OS_LAYOUT": image.runtime.location,
            "CORTEX_BUILD_IMAGE": image.build.name,
            "CORTEX_BUILD_LAYOUT": image.build.location,
            "CORTEX_PACKAGES_IMAGE": image.packages.name,
            "CORTEX_PACKAGES_LAYOUT": image.packages.location,
        }
    if not _is_the_users(given.get("CORTEX_BACKUP_TOOLS", ""), where):
        facts["CORTEX_BACKUP_TOOLS"] = str(backup_tools.target(where))
    if bundle := certificates.bundle(given):
        facts["CORTEX_BUILD_CA"] = str(bundle)
    return facts


def _is_the_users(folder: str, where: Locations) -> bool:
    """Whether the programs of the image `backup` come from a folder that the user chose."""
    return bool(folder) and not Path(folder).is_relative_to(where.backup_tools)
