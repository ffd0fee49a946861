"""What the single-node stack registers on Docker: types, URNs, options and arguments."""

from __future__ import annotations

import hashlib
import json

import pytest

from infra import images
from infra.platforms.docker import DockerStack
from infra.settings import load_settings
from infra import topologies
from tests.unit.infra.pulumi_recorder import Recorder, is_secret, record

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
IMAGE = "docker-build:index:Image"
TOKEN = "pulumi-python:dynamic/cortex:AccessToken"
STACK = "urn:pulumi:dev::cortex::"

# A changed URN is a replaced resource in everybody's stack: change this list only together with an alias.
URNS = {
    f"{STACK}pulumi:pulumi:Stack::cortex-dev",
    f"{STACK}pulumi:pulumi:Stack$cortex:docker:Stack::dev",
    f"{STACK}cortex:docker:Stack$pulumi:providers:docker::docker",
    f"{STACK}cortex:docker:Stack$cortex:index:BuiltImage::api",
    f"{STACK}cortex:index:BuiltImage$docker-build:index:Image::api",
    f"{STACK}cortex:index:BuiltImage$docker:index/remoteImage:RemoteImage::api",
    f"{STACK}cortex:docker:Stack$pulumi-python:dynamic/cortex:AccessToken::token-admin",
    f"{STACK}cortex:docker:Stack$docker:index/network:Network::network",
    f"{STACK}cortex:docker:Stack$cortex:docker:Store::store",
    f"{STACK}cortex:docker:Store$docker:index/volume:Volume::store",
    f"{STACK}cortex:docker:Stack$cortex:docker:SecretFiles::api-secrets",
    f"{STACK}cortex:docker:SecretFiles$docker:index/volume:Volume::api-secrets",
    f"{STACK}cortex:docker:SecretFiles$docker:index/container:Container::api-secrets-writer",
    f"{STACK}cortex:docker:Stack$cortex:docker:StoreGroup::single-node",
    f"{STACK}cortex:docker:StoreGroup$docker:index/container:Container::api",
}


def rendered(raw=None, host: images.BuildHost = images.BuildHost(), stack: str = "dev") -> Recorder:  # noqa: B008 - frozen
    settings = load_settings(raw or {}, stack)

    def program() -> None:
        plan = topologies.plan(stack, settings, topologies.sized(settings), 1_048_576)
        DockerStack(plan, images.specs(settings), host, settings.registry)

    return record(program, stack)


@pytest.fixture(scope="module")
def dev() -> Recorder:
    return rendered()


def test_every_type_and_urn_is_as_ever(dev):
    assert set(dev.registered) == URNS


def test_other_settings_change_no_urn():
    raw = {"corpus": {"vectors": 5, "collections": 7}, "tokens": {"generation": 2}, "access": {"port": 9000}}
    assert set(rendered(raw).registered) == URNS


def test_the_store_volume_is_protected_retained_and_deaf_to_changes(dev):
    store = dev.one(VOLUME, "store").request
    assert store.protect
    assert store.retainOnDelete
    assert set(store.ignoreChanges) == {"driver", "driverOpts", "labels", "name"}
    assert not store.deleteBeforeReplace
    assert dev.one(VOLUME, "store").inputs == {"name": "cortex-dev-store"}


def test_nothing_but_the_store_is_protected(dev):
    assert [entry.request.name for entry in dev.registered.values() if entry.request.protect] == ["store"]
    assert [entry.request.name for entry in dev.registered.values() if entry.request.retainOnDelete] == ["store"]


def test_only_the_server_mounts_the_store(dev):
    mounting = {
        entry.request.name
        for entry in dev.registered.values()
        for mount in entry.inputs.get("mounts", ())
        if mount["source"] == "cortex-dev-store"
    }
    assert mounting == {"api"}
    assert dev.one(CONTAINER, "api").inputs["mounts"] == [
        {"type": "volume", "source": "cortex-dev-store", "target": "/data"},
        {"type": "volume", "source": "cortex-dev-api-secrets", "target": "/run/cortex/secrets", "readOnly": True},
    ]


def test_memory_is_all_the_container_gets(dev):
    need = topologies.sized(load_settings({}, "dev"))
    server = dev.one(CONTAINER, "api").inputs
    assert server["memory"] == server["memorySwap"] == need.memory_limit_bytes // (1 << 20)
    assert server["memoryReservation"] == need.memory_reservation_bytes // (1 << 20) <= server["memory"]
    assert server["cpus"] == "2"
    assert server["ulimits"] == [{"name": "nofile", "soft": 65_536, "hard": 65_536}]


def test_the_container_is_hardened(dev):
    server = dev.one(CONTAINER, "api").inputs
    assert server["user"] == "10001:10001"
    assert server["readOnly"] is True
    assert server["capabilities"] == {"drops": ["ALL"]}
    assert server["securityOpts"] == ["no-new-privileges"]
    assert server["tmpfs"] == {"/tmp": "rw,noexec,nosuid,nodev,size=67108864"}
    assert "privileged" not in server


def test_the_container_is_checked_waited_for_and_stopped_with_grace(dev):
    need = topologies.sized(load_settings({}, "dev"))
    server = dev.one(CONTAINER, "api")
    assert server.inputs["healthcheck"] == {
        "tests": ["CMD", "/opt/cortex/bin/healthcheck"],
        "interval": "10s",
        "timeout": "5s",
        "retries": 3,
        "startPeriod": "3m50s",
    }
    assert need.startup_s == 230
    assert server.inputs["wait"] is True
    assert server.inputs["waitTimeout"] > need.startup_s
    assert server.inputs["stopTimeout"] == server.inputs["destroyGraceSeconds"] == need.stop_grace_s
    assert server.inputs["restart"] == "unless-stopped"
    # The provider applies these neither in place nor by itself.
    assert set(server.request.replaceOnChanges) >= {"healthcheck", "tmpfs"}
    # Two servers on one store must not overlap.
    assert server.request.deleteBeforeReplace


def test_logs_are_rotated_and_the_port_is_on_loopback(dev):
    server = dev.one(CONTAINER, "api").inputs
    assert (server["logDriver"], server["logOpts"]) == ("json-file", {"max-size": "10m", "max-file": "5"})
    assert server["ports"] == [{"internal": 8080, "external": 8080, "ip": "127.0.0.1"}]
    assert server["networkMode"] == "cortex-dev"
    assert server["networksAdvanced"] == [{"name": "cortex-dev", "aliases": ["api"]}]


def test_the_container_runs_the_image_by_its_id(dev):
    built = dev.one(IMAGE, "api").inputs
    pulled = dev.one("docker:index/remoteImage:RemoteImage", "api").inputs
    assert [pulled["name"]] == built["tags"]
    assert dev.one(CONTAINER, "api").inputs["image"] == "sha256:of-api"


def test_an_image_for_one_host_is_loaded_and_not_built_on_preview(dev):
    built = dev.one(IMAGE, "api").inputs
    assert (built["load"], built["push"], built["buildOnPreview"]) == (True, False, False)
    assert built["context"]["location"] == ".."
    assert built["dockerfile"]["location"] == "../images/api/Dockerfile"
    assert built["buildArgs"]["MODEL_PRECISION"] == "int8"
    assert built["tags"] == [f"cortex-api:{built['buildArgs']['REVISION']}"]
    assert "registries" not in built


def test_with_a_registry_the_image_is_pushed_and_pulled_by_digest():
    raw = {"registry": {"address": "r.example.com:5000", "prefix": "team/x", "username": "ci", "password": "hunter2"}}
    recorder = rendered(raw)
    built = recorder.one(IMAGE, "api").inputs
    assert (built["load"], built["push"]) == (False, True)
    assert built["tags"][0].startswith("r.example.com:5000/team/x/cortex-api:")
    pulled = recorder.one("docker:index/remoteImage:RemoteImage", "api").inputs
    assert pulled["name"] == "api@sha256:pushed"


def test_the_registry_password_is_a_secret_wherever_it_goes():
    raw = {"registry": {"address": "r", "username": "ci", "password": "hunter2"}}
    holding = {
        (entry.request.type, key): value
        for entry in rendered(raw).registered.values()
        for key, value in entry.inputs.items()
        if "hunter2" in json.dumps(value, default=str)
    }
    assert set(holding) == {(IMAGE, "registries"), ("pulumi:providers:docker", "registryAuth")}
    assert all(is_secret(value) for value in holding.values())


def test_the_token_is_a_secret_output_and_containers_get_its_hash_only(dev):
    token = dev.one(TOKEN, "token-admin").request
    assert list(token.additionalSecretOutputs) == ["value"]
    writer = dev.one(CONTAINER, "api-secrets-writer").inputs
    (upload,) = writer["uploads"]
    assert upload["file"] == "/run/cortex/secrets/tokens.json"
    assert json.loads(upload["content"]) == [
        {"name": "admin", "role": "admin", "sha256": hashlib.sha256(b"token-of-token-admin").hexdigest()}
    ]
    for entry in dev.registered.values():
        assert "token-of-token-admin" not in str(entry.inputs)


def test_the_writer_has_no_network_no_log_and_little_else(dev):
    writer = dev.one(CONTAINER, "api-secrets-writer")
    assert (writer.inputs["networkMode"], writer.inputs["logDriver"], writer.inputs["restart"]) == (
        "none",
        "none",
        "no",
    )
    assert writer.inputs["mustRun"] is False
    assert writer.inputs["capabilities"] == {"drops": ["ALL"], "adds": ["CAP_CHOWN", "CAP_FOWNER"]}
    assert writer.inputs["memory"] == writer.inputs["memorySwap"] == 64
    assert writer.inputs["command"] == [
        "chown 0:10001 /run/cortex/secrets/tokens.json && chmod 0440 /run/cortex/secrets/tokens.json"
    ]
    assert not writer.request.deleteBeforeReplace


def test_two_stacks_share_no_name_on_the_host(dev):
    def names(recorder: Recorder) -> set[str]:
        return {entry.inputs["name"] for entry in recorder.registered.values() if "name" in entry.inputs} - {
            recorder.one("docker:index/remoteImage:RemoteImage", "api").inputs["name"],
            "admin",
        }

    assert not names(dev) & names(rendered(stack="prod"))
    assert len(names(dev)) == 4


def test_facts_of_the_build_host_reach_the_build():
    host = images.BuildHost.from_environment(
        {
            "CORTEX_BUILDER": "cortex",
            "CORTEX_BUILD_NETWORK": "host",
            "CORTEX_OS_IMAGE": "cortex-os:1",
            "CORTEX_OS_LAYOUT": "oci-layout:///x@sha256:1",
            "CORTEX_BUILD_IMAGE": "cortex-build:1",
            "CORTEX_BUILD_LAYOUT": "oci-layout:///x@sha256:2",
            "CORTEX_PACKAGES_IMAGE": "cortex-packages:1",
            "CORTEX_PACKAGES_LAYOUT": "oci-layout:///x@sha256:3",
        }
    )
    built = rendered(host=host).one(IMAGE, "api").inputs
    assert built["builder"] == {"name": "cortex"}
    assert built["network"] == "host"
    assert (built["buildArgs"]["OS_IMAGE"], built["buildArgs"]["BUILD_IMAGE"]) == ("cortex-os:1", "cortex-build:1")
    assert built["context"]["named"] == {
        "cortex-os:1": {"location": "oci-layout:///x@sha256:1"},
        "cortex-build:1": {"location": "oci-layout:///x@sha256:2"},
    }
    # Only the gateway adds packages; the others are not built anew when those change.
    made = images.specs(load_settings({}, "dev"))
    assert "PACKAGES_IMAGE" not in host.arguments_of(made["api"])
    assert host.arguments_of(made["gateway"])["PACKAGES_IMAGE"] == "cortex-packages:1"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
        ("10.1.2.3", "http://10.1.2.3:8080"),
    ],
)
def test_the_url_is_one_a_client_on_the_host_can_use(address, url):
    settings = load_settings({"access": {"address": address}}, "dev")
    urls = []

    def program() -> None:
        plan = topologies.plan("dev", settings, topologies.sized(settings), None)
        urls.append(DockerStack(plan, images.specs(settings), images.BuildHost(), None).url)

    record(program)
    assert urls == [url]
