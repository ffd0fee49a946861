"""Backups in the plan: who does them, what they see and are told, and what a stack begins with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from backup.drilling.reports import FOLDER_VARIABLE

from backup import config as archiver
from healthcheck import settings as guard_settings
from infra.plan import AUTHORITY, AUTHORITY_KEY, Plan
from infra.settings import load_settings
from infra.topologies.backup_configuration import KEY, configuration
from infra.vocabulary import Topology
from tests.unit.infra.laid_down import BOTH, laid_down, values

KEY_OF_THE_SHEET = "k" * 43
S3 = {
    "target": "s3",
    "endpoint": "https://s3.example.com",
    "bucket": "b-1",
    "prefix": "prod",
    "access_key_id": "id-of-the-key",
    "secret_access_key": "secret-of-the-key",
    "ca": "an authority",
}
SFTP = {
    "target": "sftp",
    "host": "h",
    "user": "u",
    "prefix": "p",
    "private_key": "private-key-of-u",
    "host_key": "ssh-ed25519 AAAA",
}
DIRECTORY = {"target": "directory", "directory": "/mnt/backups"}
TARGETS = pytest.mark.parametrize("target", [{}, DIRECTORY, S3, SFTP], ids=["volume", "directory", "s3", "sftp"])
LATEST = {"restore": {"to": "latest"}}
SECRETS = ("secret-of-the-key", "private-key-of-u", KEY_OF_THE_SHEET)


def told(plan: Plan, path: Any) -> archiver.Config:
    """The archiver's configuration, as the archiver reads it."""
    files = plan.store_group.archiver.files
    (text,) = files.content(values(plan) | {KEY.key: KEY_OF_THE_SHEET}).values()
    path.write_text(text)
    return archiver.load(path)


@BOTH
@TARGETS
def test_the_archiver_understands_what_it_is_told(topology, target, tmp_path):
    plan = laid_down({"backup": {**target, "keep_last": 9, "archive_days": 3}}, topology=topology)
    read = told(plan, tmp_path / "backup.json")
    assert (read.stack, str(read.store), read.key) == ("dev", "/data", KEY_OF_THE_SHEET)
    assert (read.keep.last, read.archive.days) == (9, 3)
    carried = json.loads(read.state)["secrets"]
    assert {AUTHORITY, AUTHORITY_KEY, "token-admin-1", "inner-1"} <= carried.keys()
    assert KEY.key not in carried, "what opens the backup is not in it"
    guard = guard_settings.load_settings(plan.store_group.archiver.environment)
    assert not guard.has_store
    assert guard.url == "http://127.0.0.1:8090/healthz"


@TARGETS
def test_only_a_target_elsewhere_needs_a_network(target):
    plan = laid_down({"backup": target})
    elsewhere = target.get("target") in {"s3", "sftp"}
    for container in (plan.store_group.archiver, plan.drill):
        assert container.networks == (("backup",) if elsewhere else ())
    assert ("backup" in {network.name for network in plan.networks}) == elsewhere
    assert "backup" not in {*plan.gateway.networks, *plan.store_group.server.networks}


@TARGETS
def test_the_drill_only_reads_the_target_and_sees_no_store(target):
    plan = laid_down({"backup": target})
    archiver_sees = {place.mount_path: place for place in plan.store_group.archiver.places}
    drill_sees = {place.mount_path: place for place in plan.drill.places}
    if "/backup" in archiver_sees:
        assert not archiver_sees["/backup"].read_only
        assert drill_sees["/backup"].read_only
    assert plan.drill not in plan.store_group.containers
    assert {"/data", "/staging"}.isdisjoint(drill_sees)
    assert plan.drill.resources.memory_limit_bytes >= plan.store_group.server.resources.memory_limit_bytes


@BOTH
@TARGETS
def test_nothing_secret_is_in_an_environment_or_a_command(topology, target):
    plan = laid_down({"backup": {**target, "encryption_key": KEY_OF_THE_SHEET}}, topology=topology)
    for container in plan.containers:
        shown = json.dumps([dict(container.environment), container.command])
        assert not [secret for secret in SECRETS if secret in shown]


def test_the_key_that_is_made_is_used_unless_one_is_given(tmp_path):
    assert KEY.key in laid_down().store_group.archiver.files.secrets
    given = laid_down({"backup": {"encryption_key": "g" * 43}})
    assert KEY.key not in given.store_group.archiver.files.secrets
    assert told(given, tmp_path / "backup.json").key == "g" * 43


@BOTH
@pytest.mark.parametrize("backup_settings", [{}, {"target": "none"}, {"encryption_key": KEY_OF_THE_SHEET}])
def test_the_key_that_was_made_is_kept_whatever_the_settings(topology, backup_settings):
    """Or settings that do without it for a while would make noise of what is at the target."""
    words = laid_down({"backup": backup_settings}, topology=topology).words
    assert [word for word in words if word.outlives] == [KEY]


@BOTH
def test_without_backups_there_is_nothing_of_them(topology):
    plan = laid_down({"backup": {"target": "none"}}, topology=topology)
    assert (plan.store_group.archiver, plan.drill, plan.restore) == (None, None, None)
    assert "backup" not in plan.images
    assert "backup" not in {network.name for network in plan.networks}
    assert not [place for container in plan.containers for place in container.places]
    assert plan.store_group.server.environment["HEALTH_BACKUPS"] == "false"
    assert laid_down(topology=topology).store_group.server.environment["HEALTH_BACKUPS"] == "true"
    assert laid_down({"backup": {"drill_schedule": "never"}}, topology=topology).drill is None


def test_only_the_backups_volume_outlives_the_stack():
    plan = laid_down()
    places = {place.name: place.outlives for each in plan.containers for place in each.places}
    assert places == {
        "backups": True,
        "staging": False,
        "scratch": False,
        "drill-reports": False,
        "drill-scratch": False,
    }


@BOTH
def test_a_stack_may_begin_with_its_own_backup(topology, tmp_path):
    plan = laid_down({"restore": {"to": "2027-01-31T12:00:00Z"}, "backup": S3}, topology=topology)
    restore = plan.restore
    assert restore.command[-5:] == ("--to", "2027-01-31T12:00:00Z", "--into", "/data", "--json")
    assert restore.recover[-3:] == ("state", "--to", "2027-01-31T12:00:00Z")
    assert (restore.secrets, restore.networks) == ((KEY.key,), ("backup",))
    file = tmp_path / "told"
    file.write_text(restore.configuration({KEY.key: KEY_OF_THE_SHEET}))
    read = archiver.load(file)
    assert (read.key, read.target.bucket, read.state) == (KEY_OF_THE_SHEET, "b-1", "")


def test_or_with_that_of_another_stack_which_it_only_reads(tmp_path):
    raw = {"restore": {**DIRECTORY, "encryption_key": KEY_OF_THE_SHEET}}
    restore = laid_down(raw).restore
    assert (restore.secrets, restore.networks) == ((), ())
    assert {place.mount_path: (place.directory, place.read_only) for place in restore.places} == {
        "/backup": ("/mnt/backups", True),
        "/scratch": ("", False),
    }
    file = tmp_path / "told"
    file.write_text(restore.configuration({}))
    read = archiver.load(file)
    assert (read.key, read.target.path) == (KEY_OF_THE_SHEET, "/backup")
    # Its own backups go where they always go.
    assert laid_down(raw).store_group.archiver.places[0].directory == ""


@BOTH
@TARGETS
def test_a_stack_may_begin_with_a_backup_wherever_it_is(topology, target, tmp_path):
    """Its own backups may be elsewhere, or nowhere."""
    where = {"target": "volume", **target}
    raw = {"restore": {**where, "encryption_key": KEY_OF_THE_SHEET}, "backup": {"target": "none"}}
    plan = laid_down(raw, topology=topology)
    restore = plan.restore
    assert restore.image == "backup"
    assert "backup" in plan.images
    assert (plan.store_group.archiver, plan.drill) == (None, None)
    elsewhere = where["target"] in {"s3", "sftp"}
    assert restore.networks == (("backup",) if elsewhere else ())
    # It puts things together in one place, and only reads in the other.
    writable = [place.mount_path for place in restore.places if not place.read_only]
    assert writable == ["/scratch"]
    assert [place.mount_path for place in restore.places if place.read_only] == ([] if elsewhere else ["/backup"])
    file = tmp_path / "told"
    file.write_text(restore.configuration({}))
    read = archiver.load(file)
    kinds = {"s3": archiver.S3Target, "sftp": archiver.SftpTarget}
    assert isinstance(read.target, kinds.get(where["target"], archiver.DirectoryTarget))
    shown = json.dumps([dict(restore.environment), restore.command, restore.recover])
    assert not [secret for secret in SECRETS if secret in shown]


@BOTH
def test_a_restore_has_the_memory_and_the_time_to_make_every_index(topology):
    small, large = (
        laid_down({**LATEST, "corpus": {"vectors": vectors}}, topology=topology) for vectors in (1_000, 1_000_000)
    )
    for plan in (small, large):
        server = plan.store_group.server
        assert plan.restore.memory_limit_bytes > server.resources.memory_limit_bytes
        assert plan.restore.limit_s > server.health.start_period_s
    assert large.restore.limit_s > small.restore.limit_s
    assert laid_down(topology=topology).restore is None


def test_archiver_and_drill_read_what_they_are_told_where_they_are_told_it(tmp_path):
    plan = laid_down({"backup": {"drill_schedule": "never"}})
    assert told(plan, tmp_path / "backup.json").drills.expression == "never"
    plan = laid_down()
    for container in (plan.store_group.archiver, plan.drill):
        environment = container.environment
        assert str(archiver.config_path(environment)) == f"{container.files.mount_path}/{container.files.files[0]}"
        host, port = archiver.listen_address(environment)
        assert environment["HEALTH_URL"] == f"http://{host}:{port}/healthz"
        mounted = {place.mount_path for place in container.places}
        assert {str(archiver.scratch_path(environment)), environment[FOLDER_VARIABLE]} <= mounted
    assert plan.drill.command == ("python3", "-m", "backup", "drilling")
    assert plan.store_group.archiver.command == ()


def test_the_state_that_is_carried_names_the_stack():
    settings = load_settings({}, "dev")
    carried = configuration("prod", settings, {KEY.key: KEY_OF_THE_SHEET, "token-admin-1": "word"})["state"]
    assert json.loads(str(carried)) == {"stack": "prod", "secrets": {"token-admin-1": "word"}}


@pytest.mark.parametrize("topology", list(Topology))
def test_a_given_certificate_has_no_authority_to_carry(topology):
    plan = laid_down({"tls": {"given": "a certificate"}}, topology=topology)
    assert {AUTHORITY, AUTHORITY_KEY}.isdisjoint(plan.store_group.archiver.files.secrets)
