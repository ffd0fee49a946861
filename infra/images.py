"""The images a stack runs: what goes into each, its content tag, and its build."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker_build as docker_build

from infra import names
from infra.settings import Registry, Settings

ROOT = Path(__file__).resolve().parent.parent
OS_IMAGE = "python:3.12-slim"
TAG_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class BuildHost:
    """How this host builds images. Facts of the machine, not of the stack: they come from the environment.

    Attributes:
        builder: Name of a buildx builder; None for the plugin's own choice.
        network: Network of build steps ("host"); None for the builder's default.
        os_image: Image to build upon.
        os_layout: OCI layout that holds `os_image`, where no registry does (`oci-layout://...`).
        ca_bundle: Certificates that build steps must trust, beyond the image's own.
    """

    builder: str | None = None
    network: str | None = None
    os_image: str = OS_IMAGE
    os_layout: str | None = None
    ca_bundle: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> BuildHost:
        """Read CORTEX_BUILDER, CORTEX_BUILD_NETWORK, CORTEX_OS_IMAGE, CORTEX_OS_LAYOUT and CORTEX_BUILD_CA."""
        bundle = environment.get("CORTEX_BUILD_CA")
        return cls(
            builder=environment.get("CORTEX_BUILDER") or None,
            network=environment.get("CORTEX_BUILD_NETWORK") or None,
            os_image=environment.get("CORTEX_OS_IMAGE") or OS_IMAGE,
            os_layout=environment.get("CORTEX_OS_LAYOUT") or None,
            ca_bundle=Path(bundle) if bundle else None,
        )


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What goes into an image.

    Attributes:
        name: Name of the image and of its folder below `images/`.
        sources: Folders of the repository that the build sees.
        arguments: Build arguments that come from the settings.
    """

    name: str
    sources: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...] = ()

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile."""
        return ROOT / "images" / self.name / "Dockerfile"

    def content_tag(self, os_image: str) -> str:
        """Tag that changes exactly when something that goes into the image changes."""
        digest = hashlib.sha256()
        for item in (os_image, *(f"{key}={value}" for key, value in self.arguments)):
            digest.update(f"{item}\0".encode())
        for path in sorted(self._files()):
            executable = os.access(path, os.X_OK)
            digest.update(f"{path.relative_to(ROOT).as_posix()}\0{executable:d}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:TAG_CHARACTERS]

    def _files(self) -> Iterator[Path]:
        for source in self.sources:
            for path in (ROOT / source).rglob("*"):
                if path.is_file() and not _ignored(path):
                    yield path


def _ignored(path: Path) -> bool:
    """What never changes an image: byte code, notes, tests. The Dockerfile's ignore list says the same."""
    return path.suffix in {".pyc", ".md"} or "__pycache__" in path.parts


def specs(settings: Settings) -> dict[str, ImageSpec]:
    """Every image the package can build, by key."""
    return {
        "api": ImageSpec(
            "api",
            ("images/api", "healthcheck", "store"),
            (("MODEL_PRECISION", settings.image.precision.value),),
        )
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
        tag = spec.content_tag(host.os_image)
        arguments = {"OS_IMAGE": host.os_image, "REVISION": tag, **dict(spec.arguments)}
        named = {host.os_image: docker_build.ContextArgs(location=host.os_layout)} if host.os_layout else None
        image = docker_build.Image(
            spec.name,
            tags=[f"{base_name}:{tag}"],
            context=docker_build.BuildContextArgs(location=str(ROOT), named=named),
            dockerfile=docker_build.DockerfileArgs(location=str(spec.dockerfile)),
            build_args=arguments,
            builder=docker_build.BuilderConfigArgs(name=host.builder) if host.builder else None,
            network=docker_build.NetworkMode(host.network) if host.network else None,
            secrets={"ca": host.ca_bundle.read_text(encoding="utf-8")} if host.ca_bundle else None,
            registries=[_login(registry)] if registry and registry.password else None,
            load=registry is None,
            push=registry is not None,
            build_on_preview=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.reference = image.ref if registry else pulumi.Output.from_input(f"{base_name}:{tag}")
        # Whoever uses the reference waits for the build, although the tag is known before it.
        self.reference = pulumi.Output.all(self.reference, image.id).apply(lambda parts: str(parts[0]))
        self.register_outputs({"reference": self.reference})


def _login(registry: Registry) -> docker_build.RegistryArgs:
    password = registry.password.get_secret_value() if registry.password else None
    return docker_build.RegistryArgs(
        address=registry.address,
        username=registry.username,
        password=pulumi.Output.secret(password) if password else None,
    )
