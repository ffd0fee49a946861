"""What a plan can and cannot say, without Pulumi."""

from __future__ import annotations

import dataclasses
import json
import typing
from enum import Enum

import pytest
from annotated_types import Ge, Gt, Le
from cortex_api import settings as api_settings

from healthcheck import settings as guard_settings
from infra import plan as plan_types
from infra.plan import Container, Plan, Security, StoreGroup, StoreVolume
from infra.settings import Settings, load_settings
from infra.sizing.coefficients import GIB, MIB
from infra import topologies

TYPES = [
    kind
    for kind in vars(plan_types).values()
    if dataclasses.is_dataclass(kind) and kind.__module__ == plan_types.__name__
]
# What the API decides for itself: not a matter of the stack's size.
LEFT_TO_THE_API = {
    "lock_fd",  # the guard's to say
    "health_state_path",
    "model_path",
    "max_request_rows",
    "max_text_chars",
    "max_page_rows",
    "max_queries",
    "log_level",
    *(name for name in api_settings.Settings.model_fields if name.startswith("chroma_")),  # of a remote store
}
# The gateway has files that are loaded anew; this server has none.
LEFT_TO_THE_GUARD = {"state_path", "tick_s", "hysteresis_points", "reload_watch", "reload_check"}


def laid_down(raw=None, *, host_files=1_048_576) -> Plan:
    settings = load_settings(raw or {}, "dev")
    return topologies.plan("dev", settings, topologies.sized(settings), host_files)


def test_every_type_is_frozen():
    assert len(TYPES) >= 10
    for kind in TYPES:
        assert kind.__dataclass_params__.frozen, kind


def test_no_type_can_ask_for_copies():
    for kind in TYPES:
        for field in dataclasses.fields(kind):
            assert not {"replicas", "replica", "copies", "count", "instances", "scale"} & set(field.name.split("_")), (
                kind,
                field.name,
            )


def test_a_plan_has_one_store_group_and_a_group_one_server_and_one_store():
    plan = typing.get_type_hints(Plan)
    assert [name for name, kind in plan.items() if StoreGroup in (kind, *typing.get_args(kind))] == ["store_group"]
    assert plan["store_group"] is StoreGroup
    assert typing.get_type_hints(StoreGroup) == {
        "name": str,
        "store": StoreVolume,
        "server": Container,
        "archiver": Container | None,
    }


def test_no_container_can_mount_a_store_by_itself():
    for kind in TYPES:
        mentions = {StoreVolume} & {
            part for hint in typing.get_type_hints(kind).values() for part in (hint, *typing.get_args(hint))
        }
        assert not mentions or kind is StoreGroup, kind
    assert "volumes" not in {field.name for field in dataclasses.fields(Container)}


def test_a_second_server_cannot_be_written_down():
    group = laid_down().store_group
    with pytest.raises(TypeError):
        StoreGroup("two", group.store, group.server, None, group.server)
    assert group.containers == (group.server,)
    assert dataclasses.replace(group, archiver=group.server).containers == (group.server, group.server)


def test_containers_are_hardened_unless_said_otherwise():
    security = laid_down().store_group.server.security
    assert security == Security()
    assert (security.uid, security.gid) == (10_001, 10_001)
    assert security.read_only_root
    assert security.drop_all_capabilities
    assert security.no_new_privileges
    assert dict(security.tmpfs) == {"/tmp": 64 * MIB}


def test_limits_come_from_the_sizing_unless_set_by_hand():
    need = topologies.sized(load_settings({}, "dev"))
    computed = laid_down().store_group
    assert computed.server.resources.memory_limit_bytes == need.memory_limit_bytes
    assert computed.server.resources.memory_reservation_bytes == need.memory_reservation_bytes
    assert computed.store.planned_bytes == need.disk_bytes
    by_hand = laid_down({"limits": {"memory_mib": 8192, "disk_gib": 99, "cpus": 1.5}}).store_group
    assert by_hand.server.resources.memory_limit_bytes == 8192 * MIB
    assert by_hand.server.resources.cpus == 1.5
    assert by_hand.store.planned_bytes == 99 * GIB
    assert by_hand.server.environment["HEALTH_STORE_BYTES"] == str(99 * GIB)


def test_a_memory_limit_alone_changes_nothing_but_the_limit():
    """Then it can be updated in place: a changed variable would replace the container."""
    before, after = laid_down().store_group.server, laid_down({"limits": {"memory_mib": 8192}}).store_group.server
    limit = {"memory_limit_bytes": before.resources.memory_limit_bytes}
    assert dataclasses.replace(after, resources=dataclasses.replace(after.resources, **limit)) == before


@pytest.mark.parametrize(
    ("host_files", "collections", "expected"),
    [(1_048_576, 20, 65_536), (None, 20, 65_536), (4_096, 20, 4_096), (50_000, 10_000, 50_000)],
)
def test_open_files_are_generous_but_never_more_than_the_host_grants(host_files, collections, expected):
    plan = laid_down({"corpus": {"collections": collections}}, host_files=host_files)
    assert plan.store_group.server.resources.open_files == expected


def test_open_files_are_never_below_the_need_when_the_host_is_not_known(monkeypatch):
    monkeypatch.setattr(single_node, "OPEN_FILES_PREFERRED", 10)
    settings = load_settings({}, "dev")
    need = topologies.sized(settings)
    assert laid_down(host_files=None).store_group.server.resources.open_files == need.open_files


def test_the_api_understands_every_variable_and_misses_none(monkeypatch):
    environment = laid_down({"corpus": {"model": "custom", "dimensions": 9}}).store_group.server.environment
    given = {key.removeprefix("CORTEX_").lower() for key in environment if key.startswith("CORTEX_")}
    assert given == set(api_settings.Settings.model_fields) - LEFT_TO_THE_API
    for key in list(api_settings.os.environ):
        if key.startswith(("CORTEX_", "HEALTH_")):
            monkeypatch.delenv(key)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    read = api_settings.load_settings()
    assert (read.stack, read.model, read.dimensions) == ("dev", "custom", 9)
    assert read.sizing["disk_bytes"] == int(environment["HEALTH_STORE_BYTES"])
    assert read.stop_grace_s < laid_down().store_group.server.stop_grace_s
    assert str(read.inner_credential_file) == "/run/cortex/secrets/inner-credential"


def test_the_guard_understands_every_variable_and_misses_none():
    server = laid_down().store_group.server
    given = {key.removeprefix("HEALTH_").lower() for key in server.environment if key.startswith("HEALTH_")}
    assert given == {field.name for field in dataclasses.fields(guard_settings.GuardSettings)} - LEFT_TO_THE_GUARD
    read = guard_settings.load_settings(server.environment)
    assert (read.memory_percent, read.disk_percent, read.timeout_s, read.canary_max_age_s) == (85, 80, 4, 180)
    assert (read.url, read.store_path) == ("http://127.0.0.1:8080/healthz", "/data")
    assert read.memory_model.work_bytes > 0
    assert float(server.environment["CORTEX_STOP_GRACE_S"]) + 3 < read.stop_grace_s < server.stop_grace_s


def bounds():
    """Each setting at the least and at the most that its model takes."""
    for group in ("corpus", "limits", "api", "health", "maintenance"):
        for name, field in type(getattr(Settings(), group)).model_fields.items():
            for item in field.metadata:
                if isinstance(item, Ge | Gt | Le):
                    (value,) = (getattr(item, key) for key in ("ge", "gt", "le") if hasattr(item, key))
                    yield group, name, value + (0.1 if isinstance(item, Gt) else 0)


@pytest.mark.parametrize(("group", "name", "value"), list(bounds()))
def test_whatever_the_settings_allow_the_api_and_the_probe_take(monkeypatch, group, name, value):
    section = getattr(Settings(), group).model_copy(update={name: value})
    if name == "dimensions":
        section = section.model_copy(update={"model": "custom"})
    if name == "growth_percent_per_month":
        section = section.model_copy(update={"horizon_months": 1})  # for longer, the host is found too small
    settings = Settings().model_copy(update={group: section})
    server = topologies.plan("dev", settings, topologies.sized(settings), None).store_group.server
    for key, text in server.environment.items():
        monkeypatch.setenv(key, text)
    api_settings.load_settings()
    assert guard_settings.load_settings(server.environment).timeout_s < server.health.timeout_s


def test_the_environment_holds_no_secret_and_only_text():
    server = laid_down({"registry": {"address": "r", "username": "ci", "password": "hunter2"}}).store_group.server
    for key, value in server.environment.items():
        assert isinstance(value, str)
        assert not {"TOKEN", "PASSWORD", "SECRET", "KEY"} & set(key.split("_")), key
        assert "hunter2" not in value
    json.loads(server.environment["CORTEX_SIZING"])


def test_a_plan_holds_no_secret():
    def flat(value):
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                yield from flat(getattr(value, field.name))
        elif isinstance(value, dict | tuple) or hasattr(value, "items"):
            yield from (inner for part in (value.items() if hasattr(value, "items") else value) for inner in flat(part))
        else:
            yield value

    plan = laid_down({"registry": {"address": "r", "username": "ci", "password": "hunter2"}})
    leaves = list(flat(plan))
    assert len(leaves) > 50
    assert all(isinstance(leaf, str | int | float | bool | Enum | None) for leaf in leaves)
    assert not any("hunter2" in str(leaf) for leaf in leaves)


def test_the_token_file_is_mounted_apart_from_the_store():
    group = laid_down().store_group
    (secrets,) = group.server.secrets
    assert secrets.mount_path == "/run/cortex/secrets"
    assert not secrets.mount_path.startswith(group.store.mount_path)
    assert [(file.name, file.tokens) for file in secrets.files] == [("tokens.json", ("admin",))]
    assert {name for file in secrets.files for name in file.tokens} == {token.name for token in laid_down().tokens}


def test_the_port_is_on_loopback_unless_set_otherwise():
    (port,) = laid_down().store_group.server.ports
    assert port.host_address == "127.0.0.1"
    raw = {"access": {"address": "10.0.0.1", "port": 9000}, "health": {"port": 9090}}
    ports = laid_down(raw).store_group.server.ports
    assert [(port.host_address, port.host_port, port.container_port) for port in ports] == [
        ("10.0.0.1", 9000, 8080),
        ("10.0.0.1", 9090, 8081),
    ]


def test_a_token_generation_is_the_settings():
    (token,) = laid_down({"tokens": {"generation": 3}}).tokens
    assert (token.name, token.role.value, token.generation) == ("admin", "admin", 3)
