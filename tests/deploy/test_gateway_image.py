"""The gateway image: HAProxy, the guard, and nothing else."""

from __future__ import annotations

import json

from infra.topologies.parts import GATEWAY
from tests.deploy.deployment import Deployment
from tests.deploy.image_layers import MB, above_and_below

# What HAProxy, its libraries and the guard take above the OS image (images/gateway/README.md), and a little room.
LIMIT_MB = 10


def test_image_is_within_its_budget(deployment: Deployment) -> None:
    above, _, table = above_and_below(deployment, GATEWAY)
    assert 0 < above <= LIMIT_MB * MB, table


def test_nothing_is_in_it_that_running_does_not_need(deployment: Deployment) -> None:
    host = deployment.host("root", GATEWAY)
    for command in ("pip", "pip3", "uv", "gcc", "cc", "make", "curl"):
        assert host.run(f"command -v {command}").rc != 0, command
    for name in ("pip", "setuptools", "chromadb", "fastapi", "infra", "tests"):
        assert host.check_output(f"find /opt/cortex /usr/local/lib -type d -name {name}") == "", name
    # No key, certificate or configuration of its own: all of it comes with the stack's files.
    places = "/opt /usr/sbin /usr/local /etc /home /root"
    assert host.check_output(f"find {places} -name '*.key' -o -name 'privkey*' -o -name haproxy.cfg") == ""


def test_image_tells_what_is_in_it(deployment: Deployment) -> None:
    labels = deployment.inspect(GATEWAY)["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "cortex-gateway"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    sbom = json.loads(deployment.host(part=GATEWAY).file("/opt/cortex/sbom.json").content_string)
    assert sbom["bomFormat"] == "CycloneDX"
    names = {component["name"].lower() for component in sbom["components"]}
    assert {"haproxy", "cortex-healthcheck", "cortex-store"} <= names
    assert not {"chromadb", "fastapi", "onnxruntime"} & names


def test_haproxy_is_the_distributions(deployment: Deployment) -> None:
    said = deployment.host(part=GATEWAY).check_output("haproxy -v")
    assert "HAProxy version 2.6" in said
