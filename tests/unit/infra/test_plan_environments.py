"""What the containers are told: their programs understand all of it, miss nothing, and none of it is a secret."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from annotated_types import Ge, Gt, Le
from cortex_api import settings as api_settings

from backup import config as archiver_config
from healthcheck import judge_certificate
from healthcheck import settings as guard_settings
from infra import topologies
from infra.certificates import renewal_is_due
from infra.gateway import configuration, files
from infra.plan import Container
from infra.settings import Settings, Tls, fields
from infra.topologies import gateway
from infra.topologies.api import LINGER_S
from infra.topologies.backup_configuration import KEY
from infra.vocabulary import Topology
from tests.unit.infra.laid_down import BOTH, laid_down, replica, values

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
}
OF_A_REMOTE_STORE = {name for name in api_settings.Settings.model_fields if name.startswith("chroma_")}
LEFT_TO_A_REPLICA = {"chroma_check_interval_s"}
OF_AN_EMBEDDED_STORE = {"store_path", "canary_interval_s"}
LEFT_TO_THE_GUARD = {"state_path", "tick_s", "hysteresis_points"}
OF_FILES_LOADED_ANEW = {"reload_watch", "reload_check", "certificate"}
OF_A_STORE = {
    *("store_path", "store_bytes", "disk_percent", "disk_stop_percent", "on_memory_short", "memory_model"),
    *("canary_interval_s", "canary_max_age_s", "max_collections", "open_files", "schema_command"),
    *(
        "backups",
        "maintenance",
        "maintenance_limit_s",
        "compact_share",
        "renew_share",
        "scrub_interval_s",
        "scrub_bytes_per_s",
    ),
}
GUARDS = {field.name for field in dataclasses.fields(guard_settings.GuardSettings)} - LEFT_TO_THE_GUARD


def told(container: Container, prefix: str) -> set[str]:
    """Names of the settings that a container gets, without their prefix."""
    return {key.removeprefix(prefix).lower() for key in container.environment if key.startswith(prefix)}


@pytest.fixture
def api_of(monkeypatch):
    """Reads a container's environment as its API does."""

    def read(container: Container) -> api_settings.Settings:
        for key in list(os.environ):
            if key.startswith(("CORTEX_", "HEALTH_")):
                monkeypatch.delenv(key)
        for key, value in container.environment.items():
            monkeypatch.setenv(key, value)
        return api_settings.load_settings()

    return read


def test_the_embedded_api_understands_every_variable_and_misses_none(api_of):
    server = laid_down({"corpus": {"model": "custom", "dimensions": 9}}).store_group.server
    assert told(server, "CORTEX_") == set(api_settings.Settings.model_fields) - LEFT_TO_THE_API - OF_A_REMOTE_STORE
    read = api_of(server)
    assert (read.stack, read.model, read.dimensions) == ("dev", "custom", 9)
    assert read.storage is api_settings.StorageKind.EMBEDDED
    assert read.sizing["disk_bytes"] == int(server.environment["HEALTH_STORE_BYTES"])
    assert read.stop_linger_s + read.stop_grace_s + 5 < server.stop_grace_s
    assert str(read.inner_credential_file) == "/run/cortex/secrets/inner-credential"


def test_a_replica_understands_every_variable_and_misses_none(api_of):
    raw = {"corpus": {"model": "custom", "dimensions": 9}, "gateway": {"queue_s": 7, "answer_s": 70, "restart_s": 20}}
    plan = laid_down(raw, topology=Topology.CLIENT_SERVER)
    one = replica(plan)
    left = LEFT_TO_THE_API | LEFT_TO_A_REPLICA | OF_AN_EMBEDDED_STORE
    assert told(one, "CORTEX_") == set(api_settings.Settings.model_fields) - left
    read = api_of(one)
    assert (read.stack, read.model, read.dimensions) == ("dev", "custom", 9)
    assert read.storage is api_settings.StorageKind.REMOTE
    assert read.sizing["disk_bytes"] == plan.store_group.store.planned_bytes
    assert str(read.inner_credential_file) == "/run/cortex/secrets/inner-credential"
    assert str(read.chroma_token_file) == "/run/cortex/secrets/chroma-token"
    # It waits as long as the gateway lets it, and is not called ill while Chroma is restarted.
    assert read.chroma_timeout_s == 77
    assert read.chroma_away_s >= 2 * 20
    # Requests are still taken while the gateway learns that it stops, and all of it is over before the guard kills.
    assert read.stop_linger_s == LINGER_S
    guard = guard_settings.load_settings(one.environment)
    assert read.stop_linger_s + read.stop_grace_s < guard.stop_grace_s < one.stop_grace_s


def test_every_file_that_the_api_is_told_of_is_in_its_volume():
    for plan in (laid_down(), laid_down(topology=Topology.CLIENT_SERVER)):
        container = plan.api.container if plan.api else plan.store_group.server
        named = {value for key, value in container.environment.items() if key.endswith("_FILE")}
        assert named == {f"{container.files.mount_path}/{name}" for name in container.files.files}


@BOTH
def test_the_guard_of_a_store_understands_every_variable_and_misses_none(topology):
    server = laid_down(topology=topology).store_group.server
    own_schema = topology is Topology.SINGLE_NODE  # Chroma's own server makes its tables by itself
    assert told(server, "HEALTH_") == GUARDS - OF_FILES_LOADED_ANEW - (set() if own_schema else {"schema_command"})
    read = guard_settings.load_settings(server.environment)
    assert read.server == ("api" if own_schema else "chroma")
    assert (read.memory_percent, read.disk_percent, read.timeout_s, read.canary_max_age_s) == (85, 80, 4, 180)
    expected = "http://127.0.0.1:8080/healthz" if own_schema else "http://127.0.0.1:8000/api/v2/heartbeat"
    assert (read.url, read.store_path) == (expected, "/data")
    assert read.memory_model.work_bytes > 0
    assert read.stop_grace_s < server.stop_grace_s
    if own_schema:
        assert float(server.environment["CORTEX_STOP_GRACE_S"]) + 3 < read.stop_grace_s


def test_the_guard_without_a_store_understands_every_variable_and_misses_none():
    raw = {"health": {"memory_percent": 70, "memory_recycle_percent": 90, "wedged_after_s": 33, "crashes": 9}}
    plan = laid_down(raw, topology=Topology.CLIENT_SERVER)
    assert told(replica(plan), "HEALTH_") == GUARDS - OF_A_STORE - OF_FILES_LOADED_ANEW
    archiver, drill = plan.store_group.archiver, plan.drill
    for container in (archiver, drill):
        assert told(container, "HEALTH_") == GUARDS - OF_A_STORE - OF_FILES_LOADED_ANEW
    assert told(plan.gateway, "HEALTH_") == GUARDS - OF_A_STORE
    for container in (replica(plan), plan.gateway, archiver, drill):
        read = guard_settings.load_settings(container.environment)
        assert not read.has_store
        assert (read.memory_percent, read.memory_recycle_percent, read.wedged_after_s, read.crashes) == (70, 90, 33, 9)
        assert read.stop_grace_s < container.stop_grace_s
        assert read.start_limit_s <= container.health.start_period_s
        assert read.address == ("0.0.0.0", 8081)


@BOTH
def test_the_gateways_guard_watches_the_volume_that_is_mounted(topology):
    plan = laid_down(topology=topology)
    read = guard_settings.load_settings(plan.gateway.environment)
    assert read.reload_watch == plan.gateway.files.mount_path == "/run/cortex/gateway"
    assert read.reload_check == ("haproxy", "-c", "-f", "/run/cortex/gateway/haproxy.cfg")
    assert read.url == "http://127.0.0.1:8405/healthz"
    assert read.certificate == f"{read.reload_watch}/{files.CERTIFICATE}"
    assert files.CERTIFICATE in plan.gateway.files.files
    assert plan.gateway.environment["CORTEX_STACK"] == "dev"


def test_a_replica_may_take_as_long_as_the_store_to_become_ready():
    plan = laid_down({"corpus": {"vectors": 5_000_000}}, topology=Topology.CLIENT_SERVER)
    server = plan.store_group.server
    assert replica(plan).health.start_period_s > server.health.start_period_s > 1_000


@BOTH
def test_environments_hold_no_secret_and_only_text(topology):
    raw = {"registry": {"address": "r", "username": "ci", "password": "hunter2"}, "tls": {"given": "hunter2"}}
    plan = laid_down(raw, topology=topology)
    for container in plan.containers:
        for key, value in container.environment.items():
            assert isinstance(value, str)
            # Where a secret is may be told; what it is may not.
            assert not {"TOKEN", "PASSWORD", "SECRET", "KEY", "CREDENTIAL"} & set(key.split("_")) or (
                key.endswith("_FILE") and value.startswith("/run/cortex/secrets/")
            ), key
            assert "hunter2" not in value
            assert not any(secret in value for secret in values(plan).values())
    shown = [each for each in plan.containers if "CORTEX_SIZING" in each.environment]
    assert shown
    for container in shown:
        assert "memory_limit_bytes" not in json.loads(container.environment["CORTEX_SIZING"])


def test_a_certificate_is_due_for_renewal_before_the_guard_complains_of_it():
    bound = next(item.ge for item in Tls.model_fields["days"].metadata if isinstance(item, Ge))
    for days in (bound, Tls().days):
        now = datetime(2030, 1, 1, tzinfo=UTC)
        left = timedelta(days=judge_certificate.DAYS) + timedelta(minutes=1)
        assert judge_certificate.judge_certificate((now + left).timestamp(), now.timestamp()).verdict == "ok"
        assert renewal_is_due(now + timedelta(days=judge_certificate.DAYS) - timedelta(minutes=1), days, now)
        assert not renewal_is_due(now + timedelta(days=days), days, now)


def bounds():
    """Each setting at the least and at the most that its model takes."""
    for group, field in Settings.model_fields.items():
        kind = fields.section_of(field)
        for name, inner in kind.model_fields.items() if kind else ():
            for item in inner.metadata:
                if isinstance(item, Ge | Gt | Le):
                    (value,) = (getattr(item, key) for key in ("ge", "gt", "le") if hasattr(item, key))
                    yield group, name, value + (0.1 if isinstance(item, Gt) else 0)


def at_the_bound(topology: Topology, group: str, name: str, value: float) -> Settings:
    """Defaults but for one."""
    settings = Settings(topology=topology)
    kind = fields.section_of(Settings.model_fields[group])
    needed = {key: inner.examples[0] for key, inner in kind.model_fields.items() if inner.is_required()}
    section = (getattr(settings, group) or kind(**needed)).model_copy(update={name: value})
    if name == "dimensions":
        section = section.model_copy(update={"model": "custom"})
    if name == "growth_percent_per_month":
        section = section.model_copy(update={"horizon_months": 1})  # for longer, the host is found too small
    return settings.model_copy(update={group: section})


def test_every_group_with_numbers_is_tried():
    assert {group for group, _, _ in bounds()} == {
        *("corpus", "limits", "access", "api", "health", "maintenance", "tls", "gateway", "store_host"),
        *("backup", "restore"),
    }


@pytest.mark.parametrize("bound", list(bounds()), ids=lambda bound: "-".join(map(str, bound)))
@BOTH
def test_whatever_the_settings_allow_the_api_the_guards_the_gateway_and_the_archiver_take(
    api_of, tmp_path, topology, bound
):
    settings = at_the_bound(topology, *bound)
    plan = topologies.plan("dev", settings, topologies.sized(settings), None)
    api_of(plan.api.container if plan.api else plan.store_group.server)
    for container in plan.containers:
        assert guard_settings.load_settings(container.environment).timeout_s < container.health.timeout_s
        resources = container.resources
        assert 0 < resources.memory_reservation_bytes <= resources.memory_limit_bytes
    made = gateway.rendered("dev", settings)
    assert configuration.public_files(made)["haproxy.cfg"]
    assert set(plan.gateway.files.content(values(plan))) == set(plan.gateway.files.files)
    known = values(plan) | {KEY.key: "k" * 43}
    for number, text in enumerate(
        [
            *plan.store_group.archiver.files.content(known).values(),
            *([plan.restore.configuration(known)] if plan.restore else []),
        ]
    ):
        file = tmp_path / f"{number}.json"
        file.write_text(text)
        assert archiver_config.load(file).stack == "dev"
