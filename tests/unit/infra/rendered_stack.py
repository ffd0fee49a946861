"""What a whole stack registers on Docker."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from infra import images, topologies
from infra.platforms.docker import DockerStack
from infra.settings import load_settings
from infra.vocabulary import Topology
from tests.unit.infra.pulumi_recorder import Recorder, record

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
NETWORK = "docker:index/network:Network"
IMAGE = "docker-build:index:Image"
PULLED = "docker:index/remoteImage:RemoteImage"
WORD = "pulumi-python:dynamic/cortex:RandomWord"
AUTHORITY = "pulumi-python:dynamic/cortex:CertificateAuthority"
CERTIFICATE = "pulumi-python:dynamic/cortex:ServerCertificate"


def rendered(
    raw: Mapping[str, Any] | None = None,
    host: images.BuildHost = images.BuildHost(),  # noqa: B008 - frozen
    stack: str = "dev",
    made: list[DockerStack] | None = None,
) -> Recorder:
    """Everything that a stack with these settings registers.

    Args:
        raw: Settings.
        host: How it builds.
        stack: Its name.
        made: Takes the stack's component.
    """
    settings = load_settings(raw or {}, stack)

    def program() -> None:
        plan = topologies.plan(stack, settings, topologies.sized(settings), 1_048_576)
        component = DockerStack(
            plan, images.specs(settings), host, settings.registry, given_certificate=settings.tls.given
        )
        if made is not None:
            made.append(component)

    return record(program, stack)


@cache
def dev(topology: Topology = Topology.SINGLE_NODE) -> Recorder:
    """Stack dev with all defaults of a topology; made once."""
    return rendered({"topology": topology.value})
