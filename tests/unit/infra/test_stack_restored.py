"""What a stack that begins with a backup registers: its secrets first, then its data, then its server."""

from __future__ import annotations

import csv
import json
from functools import cache
from typing import Any

import pulumi
import pytest

from infra import images, topologies
from infra.docker_endpoint import Endpoint
from infra.platforms.docker import DockerStack, providers
from infra.platforms.docker.backup import RECOVER_LIMIT_S, Backup
from infra.platforms.docker.docker_host import DockerHost
from infra.settings import load_settings
from infra.vocabulary import Topology
from tests.unit.infra.laid_down import BOTH, laid_down
from tests.unit.infra.pulumi_recorder import CARRIED, in_clear, is_secret, opened, record
from tests.unit.infra.rendered_stack import AUTHORITY, CONTAINER, NETWORK, VOLUME, WORD, dev, rendered
from tests.unit.infra.test_stack_backups import DIRECTORY, ELSEWHERE, KEY, S3, TARGET

RESTORED = "pulumi-python:dynamic/cortex:Restored"
LATEST = {"restore": {"to": "latest"}}


@cache
def begun(topology=Topology.SINGLE_NODE):
    """Stack dev that begins with the newest of its own backups; made once."""
    return rendered({"topology": topology.value, **LATEST})


@cache
def cloned(kind):
    """A stack without backups of its own that begins with another one's; made once."""
    where = {"target": kind, **TARGET[kind], "encryption_key": KEY}
    return rendered({"restore": where, "backup": {"target": "none"}})


def container(recorder, part):
    """What is run, opened."""
    return opened(recorder.one(RESTORED, part).inputs["container"])


def mounts(recorder, part):
    """Path → how it is mounted, as the docker command reads it."""
    read = {}
    for line in container(recorder, part)["mounts"]:
        (fields,) = csv.reader([line])
        options = dict(field.partition("=")[::2] for field in fields)
        read[options.pop("target")] = options
    return read


@BOTH
def test_a_stack_that_begins_empty_takes_nothing(topology):
    assert not [entry for entry in dev(topology).registered.values() if entry.request.type == RESTORED]


@BOTH
def test_one_container_takes_the_secrets_and_another_the_data(topology):
    made = begun(topology)
    program = ["python3", "-m", "backup"]
    recover, restore = container(made, "recover"), container(made, "restore")
    assert recover["command"] == [*program, "state", "--to", "latest"]
    assert restore["command"] == [*program, "restore", "--to", "latest", "--into", "/data", "--json"]
    planned = laid_down(LATEST, topology=topology).restore
    assert (recover["limit_s"], restore["limit_s"]) == (RECOVER_LIMIT_S, planned.limit_s)
    for part, taken in (("recover", recover), ("restore", restore)):
        assert (taken["stack"], taken["part"]) == ("dev", part)
        assert (taken["image"], taken["user"]) == ("sha256:of-backup", "10001:10001")
        assert taken["network"] == ""
        assert "docker" not in taken
        assert taken["memory_bytes"] == planned.memory_limit_bytes
        assert taken["environment"]["BACKUP_CONFIG"] == "/dev/stdin"
        assert made.one(RESTORED, part).inputs["wanted"] == " ".join(taken["command"])


def test_only_the_data_s_container_mounts_the_store_and_neither_writes_to_the_target():
    made = begun()
    target = {"type": "volume", "source": "cortex-dev-backups", "readonly": ""}
    scratch = {"type": "volume", "source": "cortex-dev-scratch"}
    assert mounts(made, "recover") == {"/backup": target, "/scratch": scratch}
    store = {"type": "volume", "source": "cortex-dev-store"}
    assert mounts(made, "restore") == {"/data": store, "/backup": target, "/scratch": scratch}


def test_a_directory_is_mounted_whatever_its_name():
    directory = '/mnt/a "b",c=d'
    made = rendered({"backup": {"target": "directory", "directory": directory}, **LATEST})
    assert mounts(made, "restore")["/backup"] == {"type": "bind", "source": directory, "readonly": ""}


@ELSEWHERE
def test_a_backup_elsewhere_is_reached_by_the_network_of_backups(target):
    made = rendered({"backup": target, **LATEST})
    assert container(made, "recover")["network"] == container(made, "restore")["network"] == "cortex-dev-backup"
    assert {*mounts(made, "recover")} == {"/scratch"}
    networks = [entry for entry in made.registered.values() if entry.request.type == NETWORK]
    assert [entry.request.name for entry in networks].count("backup") == 1


@pytest.mark.parametrize("kind", TARGET)
def test_a_stack_without_backups_of_its_own_may_begin_with_another_s(kind):
    made = cloned(kind)
    told = json.loads(opened(made.one(RESTORED, "restore").inputs["configuration"]))
    assert told["key"] == KEY
    assert not [entry for entry in made.registered.values() if entry.request.name == "drill"]
    assert container(made, "restore")["image"] == "sha256:of-backup"


def test_the_volume_of_a_backup_is_kept_whoever_asks_for_it_first():
    made = begun()
    volume = made.one(VOLUME, "backups")
    assert volume.request.retainOnDelete
    assert not volume.request.protect
    assert set(made.registered) - set(dev().registered) == {
        f"urn:pulumi:dev::cortex::cortex:docker:Stack${RESTORED}::{part}" for part in ("recover", "restore")
    }


@BOTH
def test_the_server_waits_for_the_data_and_the_data_for_the_secrets(topology):
    made = begun(topology)
    recover, restore = made.one(RESTORED, "recover"), made.one(RESTORED, "restore")
    for name in ("server", "backup"):
        assert restore.urn in made.one(CONTAINER, name).request.propertyDependencies["mounts"].urns
    assert recover.urn in made.one(WORD, "token-admin-1").request.propertyDependencies["given"].urns
    assert restore.urn not in made.one(CONTAINER, "gateway").request.propertyDependencies["mounts"].urns
    key = made.one(WORD, "backup-key-1")
    assert key.urn in recover.request.propertyDependencies["configuration"].urns


@BOTH
def test_tokens_and_authority_are_those_of_the_backup_and_the_key_is_not_in_it(topology):
    made = begun(topology)
    for name in ("token-admin-1", "inner-1"):
        given = made.one(WORD, name).inputs["given"]
        assert is_secret(given)
        # What the backup does not have is made.
        assert opened(given) == CARRIED.get(name, "")
    assert "given" not in made.one(WORD, "backup-key-1").inputs
    authority = made.one(AUTHORITY, "authority-dev").inputs
    assert is_secret(authority["given_key"])
    assert opened(authority["given_certificate"]) == CARRIED["authority"]
    assert opened(authority["given_key"]) == CARRIED["authority-key"]


@pytest.mark.parametrize("kind", TARGET)
def test_nothing_secret_is_in_clear(kind):
    made = cloned(kind)
    for entry in made.registered.values():
        shown = json.dumps(in_clear(entry.inputs), default=str)
        for secret in ("hunter2", KEY, *CARRIED.values()):
            assert secret not in shown, entry.urn
    for part in ("recover", "restore"):
        assert is_secret(made.one(RESTORED, part).inputs["configuration"])
        assert "hunter2" not in json.dumps(container(made, part))


def test_on_a_host_of_its_own_the_store_is_filled_there():
    raw: dict[str, Any] = {
        "topology": Topology.CLIENT_SERVER.value,
        "registry": {"address": "r.example.com"},
        "store_host": {
            "docker": "tcp://db1:2376",
            "address": "10.0.0.5",
            "ca": "pem-of-ca",
            "client_certificate": "pem-of-certificate",
            "client_key": "pem-of-key",
        },
        "backup": S3,
        **LATEST,
    }
    settings = load_settings(raw, "dev")

    def program() -> None:
        plan = topologies.plan("dev", settings, topologies.sized(settings), None, None)
        specs = images.specs(settings)
        DockerStack(plan, specs, images.BuildHost(), settings.registry, store_host=settings.store_host)

    made = record(program)
    endpoint = Endpoint.of(settings.store_host)
    for part in ("recover", "restore"):
        assert is_secret(made.one(RESTORED, part).inputs["container"])
        taken = container(made, part)
        assert (taken["docker"]["docker"], taken["docker"]["tls"]) == (endpoint.docker, dict(endpoint.tls))
        assert taken["image"] == "sha256:of-backup-far"
    assert "pem-of-key" not in json.dumps([in_clear(entry.inputs) for entry in made.registered.values()], default=str)
    assert "cortex:docker:StoreHost$" in made.one(NETWORK, "backup").request.provider


def test_the_data_is_not_taken_before_the_secrets():
    plan = laid_down(LATEST)
    refused = []

    def program() -> None:
        component = pulumi.ComponentResource("cortex:docker:Stack", "dev")
        opts = pulumi.ResourceOptions(parent=component)
        host = DockerHost("dev", component, providers.near(None, opts))
        specs = images.specs(load_settings({}, "dev"))
        built = {key: images.BuiltImage(specs[key], images.BuildHost(), None, opts=opts) for key in plan.images}
        backup = Backup(plan, host, built, None, opts)
        with pytest.raises(ValueError, match="the secrets come first") as error:
            backup.restored(pulumi.Output.from_input("cortex-dev-store"))
        refused.append(error)

    assert not [urn for urn in record(program).registered if RESTORED in urn]
    assert len(refused) == 1


def test_a_plan_that_begins_empty_has_no_backup_to_read():
    with pytest.raises(ValueError, match="begins with no backup"):
        Backup(laid_down(), None, {}, None, None)


def test_a_directory_of_the_stack_s_own_backups_is_used_for_both():
    made = rendered({"backup": DIRECTORY, **LATEST})
    assert mounts(made, "recover")["/backup"]["source"] == DIRECTORY["directory"]
    assert not [entry for entry in made.registered.values() if entry.request.name == "backups"]
