"""What a store on a host of its own registers: a provider for each host, and each thing on its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra import images, topologies
from infra.platforms.docker import DockerStack
from infra.settings import load_settings
from tests.unit.infra.pulumi_recorder import Recorder, is_secret, record

CONTAINER, NETWORK, VOLUME = (
    f"docker:index/{each}" for each in ("container:Container", "network:Network", "volume:Volume")
)
PULLED = "docker:index/remoteImage:RemoteImage"
PROVIDER = "pulumi:providers:docker"
CERTIFICATE = "pulumi-python:dynamic/cortex:ServerCertificate"
BASE = {"topology": "client-server", "registry": {"address": "r.example.com", "username": "ci", "password": "hunter2"}}
SSH = {"docker": "ssh://deploy@db1", "address": "10.0.0.5", "ssh_options": ["-i", "/k"]}
TCP = {"docker": "tcp://db1:2376", "address": "10.0.0.5"}
PEMS = {"ca": "pem-of-ca", "client_certificate": "pem-of-certificate", "client_key": "pem-of-key"}

S3 = {
    "target": "s3",
    "endpoint": "https://s3.example.com",
    "bucket": "b-1",
    "access_key_id": "id",
    "secret_access_key": "secret",
}


def rendered(place: dict[str, Any] | None, **raw: Any) -> Recorder:
    settings = load_settings({**BASE, **({"store_host": place} if place else {}), **raw}, "dev")

    def program() -> None:
        plan = topologies.plan("dev", settings, topologies.sized(settings), 1 << 20, 1 << 20)
        DockerStack(
            plan,
            images.specs(settings),
            images.BuildHost(),
            settings.registry,
            given_certificate=settings.tls.given,
            store_host=settings.store_host,
        )

    return record(program)


@pytest.fixture(scope="module")
def far() -> Recorder:
    return rendered(SSH)


def on_host(recorder: Recorder, kind: str) -> dict[str, bool]:
    """Name of each resource of this type → whether it is on the store's own host."""
    return {
        entry.request.name: "cortex:docker:StoreHost$" in entry.request.provider
        for entry in recorder.registered.values()
        if entry.request.type == kind
    }


def test_each_container_is_on_its_host(far):
    there = on_host(far, CONTAINER)
    assert {name for name, is_far in there.items() if is_far} == {
        *("server", "backup", "backup-secrets-writer", "drill", "drill-secrets-writer"),
        *("door", "door-files-writer"),
    }
    assert {name.rstrip("12") for name, is_far in there.items() if not is_far} == {
        "gateway",
        "gateway-files-writer",
        "api-secrets-writer",
        "cortex-dev-api-",
    }


def test_each_image_is_pulled_where_it_runs(far):
    assert on_host(far, PULLED) == {
        "chroma-far": True,
        "backup-far": True,
        "gateway-far": True,
        "api-remote": False,
        "gateway": False,
    }


def test_the_store_is_there_and_keeps_its_place_in_the_stack(far):
    there = {"store", "backups", "staging", "scratch", "drill-scratch", "drill-reports"}
    of_files = {"door-files": True, "backup-secrets": True, "drill-secrets": True}
    here = {"gateway-files": False, "api-secrets": False}
    assert on_host(far, VOLUME) == dict.fromkeys(there, True) | of_files | here
    near = rendered(None)
    (volume,) = [urn for urn in near.registered if urn.endswith("Volume::store")]
    assert volume in far.registered
    assert not on_host(near, VOLUME)["store"]
    store = far.one(VOLUME, "store").request
    assert store.protect
    assert store.retainOnDelete


def test_its_server_is_another_resource_than_one_here(far):
    """Or a store that was moved would keep a container that is not there."""
    group = "cortex:docker:StoreGroup::store"
    (here,) = [urn for urn in rendered(None).registered if urn.endswith(group)]
    (there,) = [urn for urn in far.registered if urn.endswith(group)]
    assert here.endswith(f"cortex:docker:Stack${group}")
    assert there.endswith(f"cortex:docker:StoreHost${group}")
    assert far.one(CONTAINER, "server").request.parent == there


def test_the_networks_of_each_host(far):
    made = {
        (entry.request.name, "cortex:docker:StoreHost$" in entry.request.provider): entry.inputs["internal"]
        for entry in far.registered.values()
        if entry.request.type == NETWORK
    }
    assert made == {("edge", False): False, ("app", False): True, ("edge", True): False, ("data", True): True}


def test_the_way_to_backups_elsewhere_is_on_the_stores_host_only():
    recorder = rendered(SSH, backup=S3)
    made = [entry for entry in recorder.registered.values() if entry.request.name == "backup"]
    (network,) = [entry for entry in made if entry.request.type == NETWORK]
    assert "cortex:docker:StoreHost$" in network.request.provider
    assert network.inputs["internal"] is False
    assert recorder.one(CONTAINER, "backup").inputs["networksAdvanced"] == [
        {"name": "cortex-dev-backup", "aliases": ["backup"]}
    ]


def test_the_way_to_the_daemon_over_ssh(far):
    (provider,) = [
        entry.inputs
        for entry in far.registered.values()
        if entry.request.type == PROVIDER and "cortex:docker:StoreHost$" in entry.urn
    ]
    assert provider["host"] == "ssh://deploy@db1"
    assert json.loads(provider["sshOpts"]) == ["-i", "/k"]
    assert is_secret(provider["registryAuth"])
    assert not {"caMaterial", "certMaterial", "keyMaterial"} & set(provider)


def test_the_way_to_the_daemon_over_tcp_is_secret():
    recorder = rendered({**TCP, **PEMS})
    holding = {
        (entry.request.type, key): value
        for entry in recorder.registered.values()
        for key, value in entry.inputs.items()
        if "pem-of-" in json.dumps(value, default=str)
    }
    assert set(holding) == {(PROVIDER, key) for key in ("caMaterial", "certMaterial", "keyMaterial")}
    assert all(is_secret(value) for value in holding.values())


def test_the_door_has_a_certificate_of_the_stacks_authority(far):
    made = far.one(CERTIFICATE, "certificate-dev-door").inputs
    assert made["names"] == ["store.dev.cortex.internal", "10.0.0.5"]
    assert made["authority_certificate"] == "certificate-of-authority-dev"


def test_with_a_given_certificate_the_authority_is_made_for_the_door_alone():
    recorder = rendered(SSH, tls={"given": "a-given-certificate"})
    names = {entry.request.name for entry in recorder.registered.values() if entry.request.type == CERTIFICATE}
    assert names == {"certificate-dev-door"}
    assert recorder.one("pulumi-python:dynamic/cortex:CertificateAuthority", "authority-dev")


def test_without_it_nothing_of_it_is_registered():
    assert not [urn for urn in rendered(None).registered if "StoreHost" in urn or "door" in urn]


def test_a_plan_with_two_hosts_needs_the_way_to_the_second():
    settings = load_settings({**BASE, "store_host": SSH}, "dev")
    plan = topologies.plan("dev", settings, topologies.sized(settings), None)
    with pytest.raises(ValueError, match="the way to it is not given"):
        record(lambda: DockerStack(plan, images.specs(settings), images.BuildHost(), settings.registry) and None)
