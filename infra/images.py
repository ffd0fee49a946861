"""The images a stack runs: what goes into each, its content tag, and its build."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pulumi
import pulumi_docker_build as docker_build

from infra import names
from infra.settings import Registry, Settings

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(__file__).resolve().parent
OS_IMAGE = "python:3.12-slim"
TAG_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class BuildHost:
    """How this host builds images. Facts of the machine, not of the stack: they come from the environment.

    Attributes:
        builder: Name of a buildx builder; None for the plugin's own choice.
        network: Network of build steps ("host"); None for the builder's default.
        os_image: Image to build upon.
        build_image: Image of the builder stages: the same system, with what an installation needs.
        packages_image: Image with Debian packages that single images add; None where apt fetches them.
        backup_tools: Name under which builds see the programs of backups; it changes when they do. None where there
            are none: what adds them cannot be built.
        contexts: Where builds find what no registry has, by name: OCI layouts of images (`oci-layout://...`), and the
            folder with the programs of backups.
        ca_bundle: Certificates that build steps must trust, beyond the image's own.
    """

    builder: str | None = None
    network: str | None = None
    os_image: str = OS_IMAGE
    build_image: str = OS_IMAGE
    packages_image: str | None = None
    backup_tools: str | None = None
    contexts: tuple[tuple[str, str], ...] = ()
    ca_bundle: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> BuildHost:
        """Read the CORTEX_* variables about builds (docs/install.md)."""
        os_image = environment.get("CORTEX_OS_IMAGE") or OS_IMAGE
        build_image = environment.get("CORTEX_BUILD_IMAGE") or os_image
        packages_image = environment.get("CORTEX_PACKAGES_IMAGE") or None
        tools_folder = environment.get("CORTEX_BACKUP_TOOLS", "")
        backup_tools = f"{names.PROJECT}-backup-tools:{Path(tools_folder).name}" if tools_folder else None
        contexts = {
            os_image: environment.get("CORTEX_OS_LAYOUT", ""),
            build_image: environment.get("CORTEX_BUILD_LAYOUT", ""),
            **({packages_image: environment.get("CORTEX_PACKAGES_LAYOUT", "")} if packages_image else {}),
            **({backup_tools: tools_folder} if backup_tools else {}),
        }
        bundle = environment.get("CORTEX_BUILD_CA")
        return cls(
            builder=environment.get("CORTEX_BUILDER") or None,
            network=environment.get("CORTEX_BUILD_NETWORK") or None,
            os_image=os_image,
            build_image=build_image,
            packages_image=packages_image,
            backup_tools=backup_tools,
            contexts=tuple((name, place) for name, place in contexts.items() if place),
            ca_bundle=Path(bundle) if bundle else None,
        )

    @property
    def arguments(self) -> dict[str, str]:
        """The build arguments that name the images to build upon."""
        return {"OS_IMAGE": self.os_image, "BUILD_IMAGE": self.build_image}

    def arguments_of(self, spec: ImageSpec) -> dict[str, str]:
        """All build arguments of an image."""
        packages = {"PACKAGES_IMAGE": self.packages_image} if spec.adds_packages and self.packages_image else {}
        tools = {"BACKUP_TOOLS": self.backup_tools} if spec.adds_backup_tools and self.backup_tools else {}
        return {**self.arguments, **packages, **tools, **dict(spec.arguments)}


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What goes into an image.

    Attributes:
        name: Name of the image.
        arguments: Build arguments that come from the settings.
        folder: Its folder below `images/`; empty when it has the image's name.
        target: Stage of the Dockerfile that is the image; empty for the last one.
        adds_packages: Whether it adds Debian packages to the OS image.
        adds_backup_tools: Whether it adds the programs of backups.
    """

    name: str
    arguments: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    target: str = ""
    adds_packages: bool = False
    adds_backup_tools: bool = False

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile. The list beside it (`.dockerignore`) says which files the build sees."""
        return ROOT / "images" / (self.folder or self.name) / "Dockerfile"

    def content_tag(self, arguments: Mapping[str, str]) -> str:
        """Tag that changes exactly when something that goes into the image changes.

        Args:
            arguments: Every build argument but the tag itself.
        """
        digest = hashlib.sha256(f"target={self.target}\0".encode() if self.target else b"")
        for key, value in sorted(arguments.items()):
            digest.update(f"{key}={value}\0".encode())
        for path in sorted(self.files()):
            digest.update(f"{path.relative_to(ROOT).as_posix()}\0{os.access(path, os.X_OK):d}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:TAG_CHARACTERS]

    def files(self) -> Iterator[Path]:
        """The files the build sees: an allow-list (`!path`) with exceptions (`**/name`)."""
        rules = self.dockerfile.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").split()
        allowed = [rule[1:] for rule in rules if rule.startswith("!")]
        refused = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
        for place in allowed:
            top = ROOT / place
            for path in [top] if top.is_file() else top.rglob("*"):
                inside = path.relative_to(ROOT).parts
                if path.is_file() and not any(fnmatch(part, rule) for part in inside for rule in refused):
                    yield path


def specs(settings: Settings) -> dict[str, ImageSpec]:
    """Every image the package can build, by key."""
    model = (("MODEL_PRECISION", settings.image.precision.value),)
    return {
        "api": ImageSpec("api", model, target="embedded"),
        "api-remote": ImageSpec("api-remote", model, folder="api", target="remote"),
        "backup": ImageSpec("backup", adds_backup_tools=True),
        "chroma": ImageSpec("chroma"),
        "gateway": ImageSpec("gateway", adds_packages=True),
    }


class BuiltImage(pulumi.ComponentResource):
    """An image built from its spec, present on the Docker host or pushed to the registry.

    Attributes:
        reference: What to pull: a content tag on a single host, with the digest where a registry holds it.
    """

    reference: pulumi.Output[str]

    def __init__(
        self, spec: ImageSpec, host: BuildHost, registry: Registry | None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("cortex:index:BuiltImage", spec.name, None, opts)
        base_name = f"{names.PROJECT}-{spec.name}"
        if registry:
            base_name = "/".join(part for part in (registry.address, registry.prefix, base_name) if part)
        arguments = host.arguments_of(spec)
        tag = spec.content_tag(arguments)
        image = docker_build.Image(
            spec.name,
            tags=[f"{base_name}:{tag}"],
            context=docker_build.BuildContextArgs(
                # Relative to the program's folder: another clone of the same commit sees no change.
                location=os.path.relpath(ROOT, PROGRAM),
                named={
                    name: docker_build.ContextArgs(location=place)
                    for name, place in host.contexts
                    if name in arguments.values()
                }
                or None,
            ),
            dockerfile=docker_build.DockerfileArgs(location=os.path.relpath(spec.dockerfile, PROGRAM)),
            target=spec.target or None,
            build_args={**arguments, "REVISION": tag},
            builder=docker_build.BuilderConfigArgs(name=host.builder) if host.builder else None,
            network=docker_build.NetworkMode(host.network) if host.network else None,
            # What is trusted while building does not change what is built.
            ignore_secrets_in_diff_calculation=["ca"],
            secrets={"ca": host.ca_bundle.read_text(encoding="utf-8")} if host.ca_bundle else None,
            registries=[_login(registry)] if registry and registry.password else None,
            load=registry is None,
            push=registry is not None,
            build_on_preview=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        reference = image.ref if registry else f"{base_name}:{tag}"
        # Whoever uses the reference waits for the build, although the tag is known before it.
        self.reference = pulumi.Output.all(reference, image.id).apply(lambda parts: str(parts[0]))
        self.register_outputs({"reference": self.reference})


def _login(registry: Registry) -> docker_build.RegistryArgs:
    password = registry.password.get_secret_value() if registry.password else None
    return docker_build.RegistryArgs(
        address=registry.address,
        username=registry.username,
        password=pulumi.Output.secret(password) if password else None,
    )
