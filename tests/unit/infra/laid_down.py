"""Plans of both topologies, and the values of secrets to make their files from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from infra import topologies
from infra.plan import CERTIFICATE, Container, Plan
from infra.settings import load_settings
from infra.vocabulary import Topology

BOTH = pytest.mark.parametrize("topology", list(Topology))


def laid_down(
    raw: Mapping[str, Any] | None = None,
    *,
    topology: Topology = Topology.SINGLE_NODE,
    host_files: int | None = 1_048_576,
) -> Plan:
    """The plan of stack dev with these settings."""
    settings = load_settings({"topology": topology.value, **(raw or {})}, "dev")
    return topologies.plan("dev", settings, topologies.sized(settings), host_files)


def replica(plan: Plan) -> Container:
    """One of the API's replicas."""
    assert plan.api is not None
    return plan.api.container


def values(plan: Plan) -> dict[str, str]:
    """A value for every secret of a plan, told by its key."""
    named = [key for container in plan.containers if container.files for key in container.files.secrets]
    made = {key: f"value-of-{key}" for key in (*(word.key for word in plan.words), *named)}
    return {**made, CERTIFICATE: "the-certificate\nthe-key\n"}
