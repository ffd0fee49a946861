"""What a stack registers on Docker: types, URNs, former names, and the options that protect the data."""

from __future__ import annotations

import pytest

from infra.vocabulary import Topology
from tests.unit.infra.laid_down import BOTH
from tests.unit.infra.pulumi_recorder import Recorder
from tests.unit.infra.rendered_stack import CONTAINER, NETWORK, PULLED, VOLUME, WORD, dev, rendered

STACK = "urn:pulumi:dev::cortex::"

# A changed URN is a replaced resource in everybody's stack: change these lists only together with an alias.
EVERYWHERE = {
    f"{STACK}pulumi:pulumi:Stack::cortex-dev",
    f"{STACK}pulumi:pulumi:Stack$cortex:docker:Stack::dev",
    f"{STACK}cortex:docker:Stack$pulumi:providers:docker::docker",
    f"{STACK}cortex:docker:Stack$cortex:index:BuiltImage::gateway",
    f"{STACK}cortex:index:BuiltImage$docker-build:index:Image::gateway",
    f"{STACK}cortex:index:BuiltImage$docker:index/remoteImage:RemoteImage::gateway",
    f"{STACK}cortex:docker:Stack$pulumi-python:dynamic/cortex:RandomWord::token-admin-1",
    f"{STACK}cortex:docker:Stack$pulumi-python:dynamic/cortex:RandomWord::inner-1",
    f"{STACK}cortex:docker:Stack$pulumi-python:dynamic/cortex:CertificateAuthority::authority-dev",
    f"{STACK}cortex:docker:Stack$pulumi-python:dynamic/cortex:ServerCertificate::certificate-dev",
    f"{STACK}cortex:docker:Stack$docker:index/network:Network::edge",
    f"{STACK}cortex:docker:Stack$docker:index/network:Network::data",
    f"{STACK}cortex:docker:Stack$cortex:docker:Store::store",
    f"{STACK}cortex:docker:Store$docker:index/volume:Volume::store",
    f"{STACK}cortex:docker:Stack$cortex:docker:SecretFiles::api-secrets",
    f"{STACK}cortex:docker:SecretFiles$docker:index/volume:Volume::api-secrets",
    f"{STACK}cortex:docker:SecretFiles$docker:index/container:Container::api-secrets-writer",
    f"{STACK}cortex:docker:Stack$cortex:docker:SecretFiles::gateway-files",
    f"{STACK}cortex:docker:SecretFiles$docker:index/volume:Volume::gateway-files",
    f"{STACK}cortex:docker:SecretFiles$docker:index/container:Container::gateway-files-writer",
    f"{STACK}cortex:docker:Stack$cortex:docker:StoreGroup::store",
    f"{STACK}cortex:docker:StoreGroup$docker:index/container:Container::server",
    f"{STACK}cortex:docker:Stack$docker:index/container:Container::gateway",
    f"{STACK}cortex:docker:Stack$pulumi-python:dynamic/cortex:RandomWord::backup-key-1",
}
VOLUME_OF_BACKUPS = f"{STACK}cortex:docker:Stack$docker:index/volume:Volume::backups"
DRILLS = {
    f"{STACK}cortex:docker:Stack$docker:index/container:Container::drill",
    f"{STACK}cortex:docker:Stack$docker:index/volume:Volume::drill-scratch",
    f"{STACK}cortex:docker:Stack$cortex:docker:SecretFiles::drill-secrets",
    f"{STACK}cortex:docker:SecretFiles$docker:index/volume:Volume::drill-secrets",
    f"{STACK}cortex:docker:SecretFiles$docker:index/container:Container::drill-secrets-writer",
}
BACKUPS = DRILLS | {
    VOLUME_OF_BACKUPS,
    f"{STACK}cortex:docker:Stack$cortex:index:BuiltImage::backup",
    f"{STACK}cortex:index:BuiltImage$docker-build:index:Image::backup",
    f"{STACK}cortex:index:BuiltImage$docker:index/remoteImage:RemoteImage::backup",
    f"{STACK}cortex:docker:Stack$cortex:docker:SecretFiles::backup-secrets",
    f"{STACK}cortex:docker:SecretFiles$docker:index/volume:Volume::backup-secrets",
    f"{STACK}cortex:docker:SecretFiles$docker:index/container:Container::backup-secrets-writer",
    f"{STACK}cortex:docker:Stack$docker:index/volume:Volume::staging",
    f"{STACK}cortex:docker:Stack$docker:index/volume:Volume::scratch",
    f"{STACK}cortex:docker:Stack$docker:index/volume:Volume::drill-reports",
    f"{STACK}cortex:docker:StoreGroup$docker:index/container:Container::backup",
}
URNS = {
    Topology.SINGLE_NODE: EVERYWHERE
    | BACKUPS
    | {
        f"{STACK}cortex:docker:Stack$cortex:index:BuiltImage::api",
        f"{STACK}cortex:index:BuiltImage$docker-build:index:Image::api",
        f"{STACK}cortex:index:BuiltImage$docker:index/remoteImage:RemoteImage::api",
    },
    Topology.CLIENT_SERVER: EVERYWHERE
    | BACKUPS
    | {
        f"{STACK}cortex:docker:Stack$cortex:index:BuiltImage::api-remote",
        f"{STACK}cortex:index:BuiltImage$docker-build:index:Image::api-remote",
        f"{STACK}cortex:index:BuiltImage$docker:index/remoteImage:RemoteImage::api-remote",
        f"{STACK}cortex:docker:Stack$cortex:index:BuiltImage::chroma",
        f"{STACK}cortex:index:BuiltImage$docker-build:index:Image::chroma",
        f"{STACK}cortex:index:BuiltImage$docker:index/remoteImage:RemoteImage::chroma",
        f"{STACK}cortex:docker:Stack$docker:index/network:Network::app",
        f"{STACK}cortex:docker:Stack$cortex:docker:ApiReplicas::api",
        f"{STACK}cortex:docker:ApiReplicas$docker:index/container:Container::cortex-dev-api-1",
        f"{STACK}cortex:docker:ApiReplicas$docker:index/container:Container::cortex-dev-api-2",
    },
}
# What the group of the store and its server were called before: found again under these names, not made anew. Any
# first word might be one without a generation in its name.
FORMERLY = {
    "cortex:docker:Stack$cortex:docker:StoreGroup::store": ["single-node"],
    "cortex:docker:StoreGroup$docker:index/container:Container::server": ["api"],
    "cortex:docker:Stack$pulumi-python:dynamic/cortex:RandomWord::token-admin-1": ["token-admin"],
    "cortex:docker:Stack$pulumi-python:dynamic/cortex:RandomWord::inner-1": ["inner"],
    "cortex:docker:Stack$pulumi-python:dynamic/cortex:RandomWord::backup-key-1": ["backup-key"],
}
PROTECTED = {"store", "backup-key-1"}
S3 = {
    "target": "s3",
    "endpoint": "https://s3.example.com",
    "bucket": "b-1",
    "access_key_id": "id",
    "secret_access_key": "secret",
}
FORMER_TYPES = {WORD: "pulumi-python:dynamic/cortex:AccessToken"}


@BOTH
def test_every_type_and_urn_is_as_ever(topology):
    assert set(dev(topology).registered) == URNS[topology]


@BOTH
def test_what_was_called_otherwise_is_found_again(topology):
    former = {
        urn.removeprefix(STACK): [alias.spec.name for alias in entry.request.aliases]
        for urn, entry in dev(topology).registered.items()
        if entry.request.aliases
    }
    assert former == FORMERLY
    for entry in dev(topology).registered.values():
        for alias in entry.request.aliases:
            assert alias.spec.type == FORMER_TYPES.get(entry.request.type, "")
            assert (alias.spec.parentUrn, alias.spec.noParent) == ("", False)


@BOTH
def test_other_settings_change_no_urn(topology):
    raw = {
        "topology": topology.value,
        "corpus": {"vectors": 5, "collections": 7},
        "access": {"port": 9000, "plain_port": 9001},
        "tls": {"generation": 3, "names": ["db.example.com"]},
        "gateway": {"slots": 7},
        "backup": {"schedule": "30 2 * * *", "keep_daily": 31, "staging_mib": 64, "drill_schedule": "0 5 * * *"},
    }
    assert set(rendered(raw).registered) == URNS[topology]


@BOTH
@pytest.mark.parametrize(
    ("backup", "without", "more"),
    [
        ({"target": "none"}, BACKUPS, set()),
        ({"drill_schedule": "never"}, DRILLS, set()),
        ({"target": "directory", "directory": "/mnt/backups"}, {VOLUME_OF_BACKUPS}, set()),
        (S3, {VOLUME_OF_BACKUPS}, {f"{STACK}cortex:docker:Stack$docker:index/network:Network::backup"}),
    ],
    ids=["none", "no-drills", "directory", "s3"],
)
def test_other_backups_are_other_resources_and_touch_nothing_else(topology, backup, without, more):
    made = rendered({"topology": topology.value, "backup": backup})
    assert set(made.registered) == URNS[topology] - without | more
    # What is protected and no longer wanted keeps `up` from ending: the volume of backups is only retained, and the
    # key is always wanted.
    assert {entry.request.name for entry in made.registered.values() if entry.request.protect} == PROTECTED


def test_a_generation_more_is_a_word_more_and_nothing_else():
    raw = {"tokens": {"admin": {"role": "admin", "generations": [1, 2]}}, "gateway": {"credential_generations": [2, 1]}}
    words = f"{STACK}cortex:docker:Stack$pulumi-python:dynamic/cortex:RandomWord"
    made = rendered(raw)
    # Only the first one can have been there before generations had names.
    assert not made.one(WORD, "token-admin-2").request.aliases
    assert set(made.registered) - URNS[Topology.SINGLE_NODE] == {
        f"{words}::token-admin-2",
        f"{words}::inner-2",
    }


def test_the_store_has_the_same_urns_whatever_the_topology():
    """So a change of topology takes the store along."""
    of_the_store = [
        {urn for urn in URNS[topology] if "Store" in urn} for topology in (Topology.SINGLE_NODE, Topology.CLIENT_SERVER)
    ]
    assert of_the_store[0] == of_the_store[1]
    volumes = [dev(topology).one(VOLUME, "store").inputs for topology in Topology]
    assert volumes[0] == volumes[1] == {"name": "cortex-dev-store"}


@pytest.mark.parametrize("replicas", [1, 3])
def test_each_replica_is_a_resource_and_another_number_touches_no_other(replicas):
    made = rendered({"topology": "client-server", "api": {"replicas": replicas}})
    expected = {
        each for each in URNS[Topology.CLIENT_SERVER] if "$docker:index/container:Container::cortex-" not in each
    }
    ours = f"{STACK}cortex:docker:ApiReplicas$docker:index/container:Container"
    assert set(made.registered) == expected | {f"{ours}::cortex-dev-api-{number + 1}" for number in range(replicas)}


@BOTH
def test_the_store_volume_is_protected_retained_and_deaf_to_changes(topology):
    store = dev(topology).one(VOLUME, "store").request
    assert store.protect
    assert store.retainOnDelete
    assert set(store.ignoreChanges) == {"driver", "driverOpts", "labels", "name"}
    assert not store.deleteBeforeReplace


@BOTH
def test_nothing_but_the_store_and_the_key_of_backups_is_protected_and_nothing_but_data_is_retained(topology):
    registered = dev(topology).registered.values()
    assert {entry.request.name for entry in registered if entry.request.protect} == PROTECTED
    assert {entry.request.name for entry in registered if entry.request.retainOnDelete} == {"store", "backups"}
    assert {entry.request.type for entry in registered if entry.request.retainOnDelete} == {VOLUME}


@BOTH
@pytest.mark.parametrize("volume", ["backups", "staging", "scratch", "drill-scratch", "drill-reports"])
def test_volumes_with_files_are_deaf_to_changes(topology, volume):
    made = dev(topology).one(VOLUME, volume)
    assert made.inputs == {"name": f"cortex-dev-{volume}"}
    assert set(made.request.ignoreChanges) == {"driver", "driverOpts", "labels", "name"}


@BOTH
def test_only_the_server_and_the_archiver_mount_the_store(topology):
    mounting = {
        entry.request.name: mount
        for entry in dev(topology).registered.values()
        for mount in entry.inputs.get("mounts", ())
        if mount["source"] == "cortex-dev-store"
    }
    # The archiver writes there too: what it holds, and what it tells the guard.
    store = {"type": "volume", "source": "cortex-dev-store", "target": "/data"}
    assert mounting == {"server": store, "backup": store}
    first, *files = dev(topology).one(CONTAINER, "server").inputs["mounts"]
    assert first == store
    assert files == (
        [{"type": "volume", "source": "cortex-dev-api-secrets", "target": "/run/cortex/secrets", "readOnly": True}]
        if topology is Topology.SINGLE_NODE
        else []
    )


@BOTH
def test_what_cannot_be_there_twice_goes_before_the_new_one_comes(topology):
    first = {entry.request.name for entry in dev(topology).registered.values() if entry.request.deleteBeforeReplace}
    # Two servers or two archivers on one store, two drills in one scratch, two gateways on one port must not overlap.
    assert first == {"server", "backup", "drill", "gateway"}


def test_a_replica_comes_before_its_predecessor_goes():
    for number in (1, 2):
        entry = dev(Topology.CLIENT_SERVER).one(CONTAINER, f"cortex-dev-api-{number}")
        assert entry.request.deleteBeforeReplaceDefined
        assert not entry.request.deleteBeforeReplace
        # With a name of its own on the host the new one could not be there beside the old one.
        assert "name" not in entry.inputs


def test_the_first_replica_tries_what_the_others_then_follow():
    made = rendered({"topology": "client-server", "api": {"replicas": 3}})
    first, *others = (made.one(CONTAINER, f"cortex-dev-api-{number}") for number in (1, 2, 3))
    assert first.urn not in first.request.dependencies
    for other in others:
        assert first.urn in other.request.dependencies
        assert not {each.urn for each in others} & set(other.request.dependencies)


@BOTH
def test_what_docker_does_not_change_in_place_makes_a_new_container(topology):
    services = [
        entry
        for entry in dev(topology).registered.values()
        if entry.request.type == CONTAINER and "writer" not in entry.request.name
    ]
    assert len(services) == (4 if topology is Topology.SINGLE_NODE else 6)
    for entry in services:
        # The provider applies these neither in place nor by itself.
        assert set(entry.request.replaceOnChanges) == {"healthcheck", "tmpfs", "cpuPeriod", "cpuQuota"}


@BOTH
def test_two_stacks_share_no_name_on_the_host(topology):
    def names(recorder: Recorder) -> set[str]:
        # A word's and an authority's name are not the host's; images are shared on purpose.
        kinds = (CONTAINER, VOLUME, NETWORK)
        return {
            entry.inputs.get("name", entry.request.name)
            for entry in recorder.registered.values()
            if entry.request.type in kinds and not entry.request.name.endswith("-writer")
        }

    ours = names(dev(topology))
    assert not ours & names(rendered({"topology": topology.value}, stack="prod"))
    assert all(name.startswith("cortex-dev-") for name in ours)
    assert len(ours) == (16 if topology is Topology.SINGLE_NODE else 19)
    pulled = [entry for entry in dev(topology).registered.values() if entry.request.type == PULLED]
    assert all("dev" not in entry.inputs["name"] for entry in pulled)
