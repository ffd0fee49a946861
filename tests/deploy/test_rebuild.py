"""A stack is rebuilt on an empty machine from its settings, its key and the target: data, tokens, authority."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from infra.topologies.backup import BACKUP
from ops.docker_host import DockerHost
from tests.backup.far import S3, Sftp
from tests.backup.making import path_with_tools
from tests.deploy import rows
from tests.deploy.conftest import SETTINGS
from tests.deploy.deployment import Deployment, free_ports, wait_for
from tests.deploy.test_backups import asked

COLLECTION, ROWS = "kept", 150


@pytest.fixture(
    scope="module", params=["s3", *(pytest.param(each, marks=pytest.mark.full) for each in ("sftp", "directory"))]
)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, base_environment: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """A place for backups that containers reach, as the settings name it."""
    folder = tmp_path_factory.mktemp("target") / "far"
    if request.param == "directory":
        folder.mkdir()
        folder.chmod(0o777)
        yield {"target": "directory", "directory": str(folder)}
        return
    asked = ("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    address = DockerHost(base_environment).docker(asked).strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path_with_tools())
        far = S3(folder, address) if request.param == "s3" else Sftp(folder, address)
        far.start()
        try:
            yield as_settings(far.settings())
        finally:
            far.stop()
            if isinstance(far, Sftp):
                far.end()


def as_settings(told: dict[str, Any]) -> dict[str, Any]:
    """What the archiver is told of a target, as one names it in the settings."""
    names = {"kind": "target", "path": "prefix"} | ({"port": "sftp_port"} if told["kind"] == "sftp" else {})
    return {names.get(name, name): value for name, value in told.items() if value != ""}


@pytest.fixture(scope="module")
def machines(
    target: dict[str, Any], base_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Deployment, Deployment]]:
    """One stack on two machines, which share nothing but the target: the second knows nothing of the first."""
    name = f"test-{secrets.token_hex(4)}"
    (tls,) = free_ports(1)
    settings: dict[str, Any] = {
        **SETTINGS,
        "access": {"port": tls},
        "backup": {**target, "drill_schedule": "never"},
    }
    made = [Deployment(name, tmp_path_factory.mktemp("machine"), base_environment) for _ in range(2)]
    for each in made:
        each.set(settings)
    try:
        yield made[0], made[1]
    finally:
        # Their containers have the same names.
        for each in reversed(made):
            each.purge()


def test_a_stack_comes_back_with_its_data_its_tokens_and_its_authority(
    machines: tuple[Deployment, Deployment],
) -> None:
    lost, rebuilt = machines
    lost.up()
    with lost.client() as client:
        rows.make(client, COLLECTION, ROWS)
        base = asked(lost, BACKUP, "now", "--json", "--wait-s", "60")
        rows.write(client, COLLECTION, range(ROWS, ROWS + 10))
    written_s = time.time()
    wait_for(lambda: archived_until(lost) > written_s, "the last rows to be archived")
    before = dict(lost.outputs)
    for name in lost.parts():
        lost.docker(["kill", name])
    lost.purge()
    assert lost.volume not in lost.docker(["volume", "ls", "--quiet"]).split()

    rebuilt.set(
        {
            "backup": {**rebuilt.settings["backup"], "encryption_key": before["backup"]["key"]},
            "restore": {"to": "latest"},
        }
    )
    rebuilt.up()
    assert {key: rebuilt.outputs[key] for key in ("tokens", "authority")} == {
        key: before[key] for key in ("tokens", "authority")
    }
    rebuilt.wait_healthy()
    with rebuilt.client(before["token"]) as client:
        assert rows.read(client, COLLECTION) == rows.wanted(ROWS + 10)
    assert rebuilt.preview_is_empty()
    # The archive goes on under a new lineage; the old one stays.
    wait_for(lambda: len(asked(rebuilt, BACKUP, "list", "--json")["lineages"]) == 2, "a second lineage")
    assert base["id"] in {each["id"] for each in asked(rebuilt, BACKUP, "list", "--json")["bases"]}


def test_later_updates_restore_nothing_and_a_store_with_data_is_never_written_over(
    machines: tuple[Deployment, Deployment],
) -> None:
    _, rebuilt = machines
    with rebuilt.client() as client:
        rows.write(client, COLLECTION, range(500, 501))
    rebuilt.set({"api": {"max_k": 900}})
    rebuilt.up()
    rebuilt.wait_healthy()
    with rebuilt.client() as client:
        assert "row-500" in rows.read(client, COLLECTION)
    rebuilt.set({"restore": {"to": "2020-01-01T00:00:00Z"}})
    refused = rebuilt.run("up", "--yes", "--skip-preview", check=False)
    assert refused.returncode != 0
    rebuilt.set({"restore": {}})
    rebuilt.up()
    rebuilt.wait_healthy()
    with rebuilt.client() as client:
        assert "row-500" in rows.read(client, COLLECTION)
    assert rebuilt.preview_is_empty()


def archived_until(deployment: Deployment) -> float:
    """Up to when everything is at the target, seconds since 1970."""
    text = deployment.docker(["exec", deployment.container(BACKUP), "cat", "/data/.cortex/backup.json"])
    return float(json.loads(text)["archive"]["synced_s"] or 0)
