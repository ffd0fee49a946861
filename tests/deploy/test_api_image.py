"""The API image: small, and with nothing in it that running does not need."""

from __future__ import annotations

import json

from infra.images import BuildHost
from infra.topologies.parts import API
from tests.deploy.deployment import Deployment
from tests.deploy.image_layers import MB, above_and_below

# Targets of the design; an image that outgrows them needs a reason, not a higher number.
ABOVE_OS_IMAGE_LIMIT_MB = 300
OWN_OS_IMAGE_LIMIT_MB = 130


def test_image_is_within_its_budget(deployment: Deployment) -> None:
    above, below, table = above_and_below(deployment, API)
    assert 0 < above <= ABOVE_OS_IMAGE_LIMIT_MB * MB, table
    host = BuildHost.from_environment(deployment.environment)
    if host.os_image in dict(host.contexts):
        assert 0 < below <= OWN_OS_IMAGE_LIMIT_MB * MB, table


def test_nothing_is_in_it_that_running_does_not_need(deployment: Deployment) -> None:
    host = deployment.host("root")
    for command in ("pip", "pip3", "uv", "gcc", "cc", "make", "kubectl"):
        assert host.run(f"command -v {command}").rc != 0, command
    for name in ("pip", "setuptools", "kubernetes", "tests", "test"):
        assert host.check_output(f"find /opt/cortex /usr/local/lib -type d -name {name}") == "", name
    assert host.run("find /root/.cache /var/cache /var/lib/apt/lists -type f -size +0").stdout == ""


def test_built_files_are_compiled(deployment: Deployment) -> None:
    host = deployment.host()
    sources = int(host.check_output("find /opt/cortex/app /opt/cortex/lib -name '*.py' | wc -l"))
    compiled = int(host.check_output("find /opt/cortex/app /opt/cortex/lib -name '*.pyc' | wc -l"))
    assert sources > 500
    assert compiled >= sources * 0.99


def test_image_tells_what_is_in_it(deployment: Deployment) -> None:
    labels = deployment.inspect()["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "cortex-api"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    (tag,) = [
        tag
        for tag in json.loads(deployment.docker(["image", "inspect", deployment.inspect()["Image"]]))[0]["RepoTags"]
        if tag.endswith(labels["org.opencontainers.image.revision"])
    ]
    assert tag.startswith("cortex-api:")
    sbom = json.loads(deployment.host().file("/opt/cortex/sbom.json").content_string)
    assert sbom["bomFormat"] == "CycloneDX"
    names = {component["name"].lower() for component in sbom["components"]}
    assert {"chromadb", "fastapi", "onnxruntime", "cortex-api", "cortex-healthcheck", "cortex-store"} <= names
    assert "kubernetes" not in names


def test_model_is_inside_and_named(deployment: Deployment) -> None:
    manifest = json.loads(deployment.host().file("/opt/cortex/model/manifest.json").content_string)
    assert (manifest["name"], manifest["precision"], manifest["dimensions"]) == ("all-MiniLM-L6-v2", "int8", 384)
    digest = deployment.host().check_output("sha256sum /opt/cortex/model/model.onnx").split()[0]
    assert digest == manifest["sha256"]
