"""What a plan can and cannot say, without Pulumi."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from enum import Enum

import pytest

from infra import plan as plan_types
from infra import topologies
from infra.gateway import sockets
from infra.plan import ApiReplicas, Container, Plan, Security, StoreGroup, StoreVolume
from infra.settings import load_settings
from infra.sizing.coefficients import GIB, MIB
from infra.topologies import client_server, gateway, parts
from infra.vocabulary import Role, Topology
from tests.unit.infra.laid_down import BOTH, laid_down, replica

TYPES = [
    kind
    for kind in vars(plan_types).values()
    if dataclasses.is_dataclass(kind) and kind.__module__ == plan_types.__name__
]
ASK_FOR_COPIES = {"replicas", "replica", "copies", "count", "instances", "scale"}


def mentioned(kind: type) -> set[object]:
    """Every type that the fields of a type name, at any depth."""

    def inside(hint: object) -> typing.Iterator[object]:
        if isinstance(hint, list):  # the arguments of a function
            yield from (part for each in hint for part in inside(each))
            return
        yield hint
        for part in typing.get_args(hint):
            yield from inside(part)

    return {part for hint in typing.get_type_hints(kind).values() for part in inside(hint)}


def test_every_type_is_frozen():
    assert len(TYPES) >= 14
    for kind in TYPES:
        assert kind.__dataclass_params__.frozen, kind


def test_no_type_but_the_replicas_of_the_api_can_ask_for_copies():
    asking = [
        (kind, field.name)
        for kind in TYPES
        for field in dataclasses.fields(kind)
        if ASK_FOR_COPIES & set(field.name.split("_"))
    ]
    assert asking == [(ApiReplicas, "replicas")]
    # And it has nothing that could hold a store.
    assert typing.get_type_hints(ApiReplicas) == {"container": Container, "replicas": int}


def test_a_plan_has_one_store_group_and_a_group_one_server_and_one_store():
    plan = typing.get_type_hints(Plan)
    assert [name for name, kind in plan.items() if StoreGroup in (kind, *typing.get_args(kind))] == ["store_group"]
    assert plan["store_group"] is StoreGroup
    assert typing.get_type_hints(StoreGroup) == {
        "store": StoreVolume,
        "server": Container,
        "archiver": Container | None,
    }
    assert plan["gateway"] is Container
    assert plan["api"] == ApiReplicas | None


def test_no_container_can_mount_a_store_by_itself():
    assert [kind for kind in TYPES if StoreVolume in mentioned(kind)] == [StoreGroup]
    assert [kind for kind in TYPES if StoreGroup in mentioned(kind)] == [Plan]
    assert not {"volumes", "mounts", "store"} & {field.name for field in dataclasses.fields(Container)}


def test_a_second_server_cannot_be_written_down():
    group = laid_down().store_group
    with pytest.raises(TypeError):
        StoreGroup(group.store, group.server, None, group.server)
    assert group.containers == (group.server, group.archiver)
    assert dataclasses.replace(group, archiver=None).containers == (group.server,)
    # What is beside it is no server.
    assert (group.archiver.image, group.archiver.networks, group.archiver.ports) == ("backup", (), ())


def test_whoever_holds_the_store_is_never_a_replica():
    one, two = laid_down(), laid_down(topology=Topology.CLIENT_SERVER)
    assert one.api is None
    assert one.store_group.server.image == "api"
    assert two.store_group.server.image == "chroma"
    assert two.api.container != two.store_group.server
    assert two.api.container.image == "api-remote"
    assert replica(two).environment["CORTEX_STORAGE"] == "remote"
    assert replica(two).environment["HEALTH_SERVER"] == "none"
    assert not {"CORTEX_STORE_PATH", "HEALTH_STORE_PATH"} & set(replica(two).environment)
    # Only who holds it watches over it.
    watching = [each.name for plan in (one, two) for each in plan.containers if "HEALTH_STORE_PATH" in each.environment]
    assert watching == ["api", "chroma"]


def test_a_sizing_of_the_other_topology_is_refused():
    settings = load_settings({}, "dev")
    with pytest.raises(ValueError, match="of another topology"):
        client_server.plan("dev", settings, topologies.sized(settings), None)


@pytest.mark.parametrize(("asked", "made"), [({}, 2), ({"replicas": 1}, 1), ({"replicas": 16}, 16)])
def test_there_are_as_many_replicas_as_were_asked_for(asked, made):
    assert laid_down({"api": asked}, topology=Topology.CLIENT_SERVER).api.replicas == made


def test_the_number_of_replicas_changes_nothing_else():
    """So nothing but replicas comes or goes: not the gateway, and above all not the server."""
    few, many = (laid_down({"api": {"replicas": each}}, topology=Topology.CLIENT_SERVER) for each in (1, 9))
    assert dataclasses.replace(many, api=few.api) == few
    assert many.api.container == few.api.container


@BOTH
def test_containers_are_hardened_unless_said_otherwise(topology):
    for container in laid_down(topology=topology).containers:
        security = container.security
        assert security == Security()
        assert (security.uid, security.gid) == (10_001, 10_001)
        assert security.read_only_root
        assert security.drop_all_capabilities
        assert security.no_new_privileges
        assert dict(security.tmpfs) == {"/tmp": 64 * MIB}


@BOTH
def test_limits_come_from_the_sizing_unless_set_by_hand(topology):
    need = topologies.sized(load_settings({"topology": topology.value}, "dev"))
    computed = laid_down(topology=topology)
    server = computed.store_group.server
    assert server.resources.memory_limit_bytes == need.store.memory_limit_bytes
    assert server.resources.memory_reservation_bytes == need.store.memory_reservation_bytes
    assert computed.store_group.store.planned_bytes == need.store.disk_bytes
    assert computed.gateway.resources.memory_limit_bytes == need.gateway_memory_bytes
    assert computed.store_group.archiver.resources.memory_limit_bytes == need.archiver_memory_bytes
    assert computed.drill.resources.memory_limit_bytes == need.drill_memory_bytes
    raw = {"limits": {"memory_mib": 8192, "disk_gib": 99, "cpus": 1.5}, "api": {"cpus": 0.5}}
    by_hand = laid_down(raw, topology=topology)
    assert by_hand.store_group.server.resources.memory_limit_bytes == 8192 * MIB
    assert by_hand.store_group.server.resources.cpus == 1.5
    assert by_hand.store_group.store.planned_bytes == 99 * GIB
    assert by_hand.store_group.server.environment["HEALTH_STORE_BYTES"] == str(99 * GIB)
    assert by_hand.gateway.resources == computed.gateway.resources
    assert by_hand.store_group.archiver.resources == computed.store_group.archiver.resources
    # It starts a server like the store's.
    assert by_hand.drill.resources.memory_limit_bytes > 8192 * MIB
    assert by_hand.drill.resources.cpus == 1.5
    if topology is Topology.CLIENT_SERVER:
        assert replica(computed).resources.memory_limit_bytes == need.replica.memory_limit_bytes
        assert replica(computed).resources.memory_reservation_bytes == need.replica.memory_reservation_bytes
        assert (replica(computed).resources.cpus, replica(by_hand).resources.cpus) == (2.0, 0.5)


@BOTH
def test_no_reservation_is_above_its_limit(topology):
    for raw in ({}, {"limits": {"memory_mib": 128}}, {"gateway": {"connections": 10, "connections_per_address": 10}}):
        for container in laid_down(raw, topology=topology).containers:
            assert container.resources.memory_reservation_bytes <= container.resources.memory_limit_bytes


@BOTH
def test_a_memory_limit_alone_changes_nothing_but_the_limit(topology):
    """Then it can be updated in place: a changed variable would replace the container."""
    before, after = laid_down(topology=topology), laid_down({"limits": {"memory_mib": 8192}}, topology=topology)
    server = before.store_group.server
    limit = {"memory_limit_bytes": server.resources.memory_limit_bytes}
    changed = after.store_group.server
    assert dataclasses.replace(changed, resources=dataclasses.replace(changed.resources, **limit)) == server
    assert (after.gateway, after.api) == (before.gateway, before.api)
    assert after.store_group.archiver == before.store_group.archiver
    limit = {"memory_limit_bytes": before.drill.resources.memory_limit_bytes}
    assert after.drill != before.drill
    drill = dataclasses.replace(after.drill, resources=dataclasses.replace(after.drill.resources, **limit))
    assert drill == before.drill


@pytest.mark.parametrize(
    ("host_files", "collections", "expected"),
    [(1_048_576, 20, 65_536), (None, 20, 65_536), (4_096, 20, 4_096), (50_000, 10_000, 50_000)],
)
@BOTH
def test_open_files_are_generous_but_never_more_than_the_host_grants(topology, host_files, collections, expected):
    plan = laid_down({"corpus": {"collections": collections}}, topology=topology, host_files=host_files)
    assert {container.resources.open_files for container in plan.containers} == {expected}


@BOTH
def test_open_files_are_never_below_the_need_when_the_host_is_not_known(monkeypatch, topology):
    monkeypatch.setattr(parts, "OPEN_FILES_PREFERRED", 10)
    settings = load_settings({"topology": topology.value}, "dev")
    need = topologies.sized(settings)
    plan = laid_down(topology=topology, host_files=None)
    assert plan.store_group.server.resources.open_files == need.store.open_files
    assert plan.gateway.resources.open_files == need.gateway_open_files
    assert need.gateway_open_files == sockets.open_files(gateway.rendered("dev", settings))
    if plan.api is not None:
        assert plan.api.container.resources.open_files == need.replica.open_files


def test_a_token_has_a_word_for_each_of_its_generations():
    raw = {"tokens": {"admin": {"role": "admin", "generations": [3]}, "ui": {"role": "read", "generations": [1, 2]}}}
    plan = laid_down(raw)
    assert [(token.name, token.role, token.words) for token in plan.tokens] == [
        ("admin", Role.ADMIN, ("token-admin-3",)),
        ("ui", Role.READ, ("token-ui-1", "token-ui-2")),
    ]
    keys = [word.key for word in plan.words]
    assert keys == ["token-admin-3", "token-ui-1", "token-ui-2", "inner-1", "backup-key-1"]


def test_no_two_words_share_a_key_whatever_the_tokens_are_called():
    tokens = {
        name: {"role": "admin", "generations": [1, 11]}
        for name in ("a", "a-1", "a.1", "inner", "token-a", "backup-key")
    }
    keys = [word.key for word in laid_down({"tokens": tokens}).words]
    assert len(keys) == len(set(keys)) == 2 * len(tokens) + 2


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ({}, ("localhost", "127.0.0.1", "::1")),
        ({"access": {"address": "10.1.2.3"}}, ("localhost", "127.0.0.1", "::1", "10.1.2.3")),
        ({"access": {"address": "0.0.0.0"}}, ("localhost", "127.0.0.1", "::1")),
        ({"access": {"address": "::"}}, ("localhost", "127.0.0.1", "::1")),
        ({"tls": {"names": ["db.example.com", "::1"]}}, ("localhost", "127.0.0.1", "::1", "db.example.com")),
    ],
)
def test_the_certificate_is_for_this_host_and_what_was_named(raw, names):
    certificate = laid_down(raw).certificate
    assert certificate.names == names
    assert (certificate.days, certificate.generation, certificate.given) == (180, 1, False)


def test_a_given_certificate_is_only_said_to_be_given():
    raw = {"tls": {"given": "hunter2", "days": 90, "generation": 4}}
    certificate = laid_down(raw).certificate
    assert (certificate.days, certificate.generation, certificate.given) == (90, 4, True)


@BOTH
def test_a_plan_holds_no_secret(topology):
    def flat(value):
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                yield from flat(getattr(value, field.name))
        elif isinstance(value, dict | tuple) or hasattr(value, "items"):
            yield from (inner for part in (value.items() if hasattr(value, "items") else value) for inner in flat(part))
        else:
            yield value

    raw = {
        "registry": {"address": "r", "username": "ci", "password": "hunter2"},
        "tls": {"given": "hunter2"},
        "backup": {
            "target": "s3",
            "endpoint": "https://s3.example.com",
            "bucket": "b-1",
            "access_key_id": "id",
            "secret_access_key": "hunter2",
            "ca": "hunter2",
            "encryption_key": "hunter2".ljust(43, "-"),
        },
        "restore": {
            "target": "sftp",
            "host": "h",
            "user": "u",
            "host_key": "ssh-ed25519 AAAA",
            "private_key": "hunter2",
            "encryption_key": "hunter2".ljust(43, "_"),
        },
    }
    plan = laid_down(raw, topology=topology)
    leaves = list(flat(plan))
    assert len(leaves) > 50
    contents = [leaf for leaf in leaves if inspect.isfunction(leaf)]
    assert set(contents) == {
        plan.restore.configuration,
        *(container.files.content for container in plan.containers if container.files),
    }
    assert all(
        isinstance(leaf, str | int | float | bool | Enum | None) for leaf in leaves if not inspect.isfunction(leaf)
    )
    assert not any("hunter2" in str(leaf) for leaf in leaves)
    assert "hunter2" not in repr(plan)
