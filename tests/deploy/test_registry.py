"""With a registry, images are pushed, pulled and run by digest. The registry is the test's own, on loopback."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.topologies.parts import API, GATEWAY
from tests.deploy.conftest import SETTINGS
from tests.deploy.deployment import Deployment, free_port
from tests.deploy.registry import PASSWORD, USER, running

pytestmark = pytest.mark.full

MANIFEST_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Address of a registry that asks for a password."""
    with running(tmp_path) as address:
        yield address


def test_images_go_through_the_registry_by_digest(
    registry: str, base_environment: dict[str, str], tmp_path: Path
) -> None:
    stack = Deployment(f"test-{secrets.token_hex(4)}", tmp_path / "stack", base_environment)
    place = {"address": registry, "prefix": "team", "username": USER}
    stack.set({**SETTINGS, "access": {"port": free_port()}, "registry": place})
    stack.run("config", "set", "--secret", "--path", "cortex:registry.password", PASSWORD)
    assert PASSWORD not in stack.config_file.read_text()
    try:
        stack.up()
        for part in (API, GATEWAY):
            assert_run_by_digest(stack, registry, part)
        assert stack.preview_is_empty()
        state = stack.run("stack", "export").stdout
        assert PASSWORD not in state
        assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in state
    finally:
        stack.purge()
        for part in (API, GATEWAY):
            label = f"label=org.opencontainers.image.title=cortex-{part}"
            stack.docker(["image", "prune", "--force", "--filter", label])


def assert_run_by_digest(stack: Deployment, registry: str, part: str) -> None:
    image = stack.docker(["image", "inspect", "--format", "{{json .RepoDigests}}", stack.inspect(part)["Image"]])
    assert f"{registry}/team/cortex-{part}@sha256:" in image
    place = f"http://{registry}/v2/team/cortex-{part}"
    (tag,) = httpx.get(f"{place}/tags/list", auth=(USER, PASSWORD), trust_env=False).json()["tags"]
    manifest = httpx.get(
        f"{place}/manifests/{tag}",
        auth=(USER, PASSWORD),
        headers={"Accept": ", ".join(MANIFEST_KINDS)},
        trust_env=False,
    )
    assert f"@sha256:{hashlib.sha256(manifest.content).hexdigest()}" in image
