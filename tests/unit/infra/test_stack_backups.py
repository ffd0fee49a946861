"""What backups are on Docker: where archiver and drill keep files, how they reach the target, and what is secret."""

from __future__ import annotations

import json

import pytest

from tests.unit.infra.laid_down import BOTH
from tests.unit.infra.pulumi_recorder import in_clear, opened
from tests.unit.infra.rendered_stack import CONTAINER, NETWORK, dev, rendered

KEY = "k" * 43
DIRECTORY = {"target": "directory", "directory": "/mnt/back,ups"}
S3 = {
    "target": "s3",
    "endpoint": "https://s3.example.com",
    "bucket": "b-1",
    "access_key_id": "id",
    "secret_access_key": "hunter2",
    "ca": "hunter2",
}
SFTP = {"target": "sftp", "host": "h", "user": "u", "private_key": "hunter2", "host_key": "ssh-ed25519 AAAA"}
TARGET = {"volume": {}, "directory": DIRECTORY, "s3": S3, "sftp": SFTP}
ELSEWHERE = pytest.mark.parametrize("target", [S3, SFTP], ids=["s3", "sftp"])
LOCAL = {"/staging", "/scratch", "/reports"}


def mounts(recorder, name):
    """Where a container sees what: path → kind and source, and whether it may only read."""
    return {
        each["target"]: (each["type"], each["source"], each.get("readOnly", False))
        for each in recorder.one(CONTAINER, name).inputs["mounts"]
    }


def volume(name, *, read_only=False):
    return "volume", f"cortex-dev-{name}", read_only


@BOTH
def test_archiver_and_drill_share_the_target_and_reports_and_nothing_else(topology):
    assert mounts(dev(topology), "backup") == {
        "/data": volume("store"),
        "/backup": volume("backups"),
        "/staging": volume("staging"),
        "/scratch": volume("scratch"),
        "/reports": volume("drill-reports", read_only=True),
        "/run/cortex/secrets": volume("backup-secrets", read_only=True),
    }
    assert mounts(dev(topology), "drill") == {
        "/backup": volume("backups", read_only=True),
        "/scratch": volume("drill-scratch"),
        "/reports": volume("drill-reports"),
        "/run/cortex/secrets": volume("drill-secrets", read_only=True),
    }


@BOTH
def test_nothing_else_sees_any_of_it(topology):
    seeing: dict[str, set[str]] = {}
    for entry in dev(topology).registered.values():
        for mount in entry.inputs.get("mounts", ()):
            seeing.setdefault(mount["source"].removeprefix("cortex-dev-"), set()).add(entry.request.name)
    ours = ("backups", "staging", "scratch", "drill-scratch", "drill-reports", "backup-secrets", "drill-secrets")
    assert {name: seeing[name] for name in ours} == {
        "backups": {"backup", "drill"},
        "staging": {"backup"},
        "scratch": {"backup"},
        "drill-scratch": {"drill"},
        "drill-reports": {"backup", "drill"},
        "backup-secrets": {"backup", "backup-secrets-writer"},
        "drill-secrets": {"drill", "drill-secrets-writer"},
    }


def test_a_directory_of_the_host_takes_the_place_of_the_volume():
    made = rendered({"backup": DIRECTORY})
    assert mounts(made, "backup")["/backup"] == ("bind", "/mnt/back,ups", False)
    assert mounts(made, "drill")["/backup"] == ("bind", "/mnt/back,ups", True)


@ELSEWHERE
def test_a_target_elsewhere_is_reached_by_a_network_that_nobody_else_is_on(target):
    made = rendered({"backup": target})
    assert {*mounts(made, "backup")} == {"/data", "/run/cortex/secrets"} | LOCAL
    network = made.one(NETWORK, "backup").inputs
    assert (network["name"], network["internal"]) == ("cortex-dev-backup", False)
    joined = {
        entry.request.name: [each["name"] for each in entry.inputs["networksAdvanced"]]
        for entry in made.registered.values()
        if entry.request.type == CONTAINER and "networksAdvanced" in entry.inputs
    }
    assert {name for name, networks in joined.items() if "cortex-dev-backup" in networks} == {"backup", "drill"}
    for name in ("backup", "drill"):
        assert joined[name] == ["cortex-dev-backup"]
        assert made.one(CONTAINER, name).inputs["networkMode"] == "bridge"


@pytest.mark.parametrize("kind", TARGET)
def test_what_opens_the_target_is_in_the_files_of_archiver_and_drill_and_nowhere_in_clear(kind):
    made = rendered({"backup": {**TARGET[kind], "encryption_key": KEY}})
    holding = set()
    for entry in made.registered.values():
        shown = json.dumps(in_clear(entry.inputs), default=str)
        assert "hunter2" not in shown, entry.urn
        assert KEY not in shown, entry.urn
        if KEY in json.dumps(opened(entry.inputs), default=str):
            holding.add(entry.request.name)
    assert holding == {"backup-secrets-writer", "drill-secrets-writer"}
