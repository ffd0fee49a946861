"""The image of backups: three programs, the package, Chroma's server for drills, the guard, and nothing else."""

from __future__ import annotations

import json

import pytest

from infra.topologies.backup import BACKUP
from tests.deploy.deployment import Deployment
from tests.deploy.image_layers import MB, above_and_below
from tools.versions import BACKUP as TOOLS
from tools.versions import Tool

# What the programs (105 MB) and Chroma's binding (59 MB) take above the OS image, and a little room.
LIMIT_MB = 175


def test_image_is_within_its_budget(deployment: Deployment) -> None:
    above, _, table = above_and_below(deployment, BACKUP)
    assert 0 < above <= LIMIT_MB * MB, table


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_programs_are_the_pinned_ones_and_on_path(deployment: Deployment, tool: Tool) -> None:
    host = deployment.host(part=BACKUP)
    assert host.check_output(f"command -v {tool.name}") == f"/opt/cortex/bin/{tool.name}"
    assert tool.version in host.check_output(f"{tool.name} version").splitlines()[0]


def test_nothing_is_in_it_that_running_does_not_need(deployment: Deployment) -> None:
    host = deployment.host("root", BACKUP)
    for command in ("pip", "pip3", "uv", "gcc", "cc", "make", "curl", "ssh", "go"):
        assert host.run(f"command -v {command}").rc != 0, command
    for name in ("pip", "setuptools", "chromadb", "fastapi", "infra", "tests"):
        assert host.check_output(f"find /opt/cortex /usr/local/lib -type d -name {name}") == "", name
    # No key and no configuration of its own: all of it comes with the stack's files.
    places = "/opt /usr/local /etc /home /root"
    assert (
        host.check_output(f"find {places} -name '*.key' -o -name rclone.conf -o -name backup.json -o -name .ssh") == ""
    )
    # Without capabilities even root may not look into each folder.
    assert host.run("find / -xdev -type f -perm /6000").stdout == ""


def test_the_guard_runs_the_archiver_as_the_images_user(deployment: Deployment) -> None:
    config = deployment.inspect(BACKUP)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python3", "-m", "healthcheck.guard", "--"]
    host = deployment.host(part=BACKUP)
    assert (
        host.check_output("tr '\\0' ' ' </proc/1/cmdline") == "python3 -m healthcheck.guard -- python3 -m backup run "
    )
    assert host.run("python3 -m backup --help").rc == 0


def test_folders_belong_to_the_user_alone(deployment: Deployment) -> None:
    host = deployment.host("root", BACKUP)
    for folder in ("/backup", "/staging", "/scratch"):
        assert host.check_output(f"stat -c '%u:%g %a' {folder}") == "10001:10001 700", folder


def test_image_tells_what_is_in_it(deployment: Deployment) -> None:
    labels = deployment.inspect(BACKUP)["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "cortex-backup"
    sbom = json.loads(deployment.host(part=BACKUP).file("/opt/cortex/sbom.json").content_string)
    purls = {component["purl"].partition("@")[0] for component in sbom["components"]}
    assert {"pkg:pypi/cortex-backup", "pkg:pypi/cortex-store", "pkg:pypi/chromadb", "pkg:pypi/tzdata"} <= purls
    go = {"pkg:golang/stdlib", "pkg:golang/github.com/restic/restic", "pkg:golang/github.com/rclone/rclone"}
    assert go <= purls
    assert not {"pkg:pypi/fastapi", "pkg:pypi/onnxruntime"} & purls
