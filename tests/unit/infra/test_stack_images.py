"""How a stack's images are built, pushed and pulled."""

from __future__ import annotations

import json

import pytest

from infra import images
from infra.settings import load_settings
from infra.vocabulary import Topology
from tests.unit.infra.laid_down import BOTH
from tests.unit.infra.pulumi_recorder import is_secret
from tests.unit.infra.rendered_stack import IMAGE, PULLED, dev, rendered

NEEDED = {
    Topology.SINGLE_NODE: ("api", "backup", "gateway"),
    Topology.CLIENT_SERVER: ("api-remote", "backup", "chroma", "gateway"),
}
FOLDERS = {"api": "api", "api-remote": "api", "backup": "backup", "chroma": "chroma", "gateway": "gateway"}


@BOTH
def test_only_the_images_of_the_topology_are_built(topology):
    built = sorted(entry.request.name for entry in dev(topology).registered.values() if entry.request.type == IMAGE)
    assert tuple(built) == NEEDED[topology]


@BOTH
def test_an_image_for_one_host_is_loaded_and_not_built_on_preview(topology):
    for name in NEEDED[topology]:
        built = dev(topology).one(IMAGE, name).inputs
        assert (built["load"], built["push"], built["buildOnPreview"]) == (True, False, False)
        assert built["context"]["location"] == ".."
        assert built["dockerfile"]["location"] == f"../images/{FOLDERS[name]}/Dockerfile"
        assert built["tags"] == [f"cortex-{name}:{built['buildArgs']['REVISION']}"]
        assert "registries" not in built


def test_the_api_s_two_images_are_stages_of_one_file_with_the_model_of_the_settings():
    embedded = dev().one(IMAGE, "api").inputs
    remote = dev(Topology.CLIENT_SERVER).one(IMAGE, "api-remote").inputs
    assert (embedded["target"], remote["target"]) == ("embedded", "remote")
    assert embedded["buildArgs"]["MODEL_PRECISION"] == remote["buildArgs"]["MODEL_PRECISION"] == "int8"
    assert embedded["tags"] != remote["tags"]
    assert "MODEL_PRECISION" not in dev().one(IMAGE, "gateway").inputs["buildArgs"]


@BOTH
def test_what_was_built_is_what_is_pulled(topology):
    for name in NEEDED[topology]:
        assert [dev(topology).one(PULLED, name).inputs["name"]] == dev(topology).one(IMAGE, name).inputs["tags"]


@BOTH
def test_with_a_registry_every_image_is_pushed_and_pulled_by_digest(topology):
    registry = {"address": "r.example.com:5000", "prefix": "team/x", "username": "ci", "password": "hunter2"}
    recorder = rendered({"topology": topology.value, "registry": registry})
    for name in NEEDED[topology]:
        built = recorder.one(IMAGE, name).inputs
        assert (built["load"], built["push"]) == (False, True)
        assert built["tags"][0].startswith(f"r.example.com:5000/team/x/cortex-{name}:")
        assert recorder.one(PULLED, name).inputs["name"] == f"{name}@sha256:pushed"


@BOTH
def test_the_registry_password_is_a_secret_wherever_it_goes(topology):
    raw = {"topology": topology.value, "registry": {"address": "r", "username": "ci", "password": "hunter2"}}
    holding = {
        (entry.request.type, entry.request.name, key): value
        for entry in rendered(raw).registered.values()
        for key, value in entry.inputs.items()
        if "hunter2" in json.dumps(value, default=str)
    }
    assert set(holding) == {
        ("pulumi:providers:docker", "docker", "registryAuth"),
        *((IMAGE, name, "registries") for name in NEEDED[topology]),
    }
    assert all(is_secret(value) for value in holding.values())


@pytest.fixture(scope="module")
def host():
    """A machine that builds upon its own images."""
    return images.BuildHost.from_environment(
        {
            "CORTEX_BUILDER": "cortex",
            "CORTEX_BUILD_NETWORK": "host",
            "CORTEX_OS_IMAGE": "cortex-os:1",
            "CORTEX_OS_LAYOUT": "oci-layout:///x@sha256:1",
            "CORTEX_BUILD_IMAGE": "cortex-build:1",
            "CORTEX_BUILD_LAYOUT": "oci-layout:///x@sha256:2",
            "CORTEX_PACKAGES_IMAGE": "cortex-packages:1",
            "CORTEX_PACKAGES_LAYOUT": "oci-layout:///x@sha256:3",
            "CORTEX_BACKUP_TOOLS": "/cache/backup-tools/0123456789ab",
        }
    )


def test_facts_of_the_build_host_reach_the_builds(host):
    recorder = rendered(host=host)
    own = {
        "cortex-os:1": {"location": "oci-layout:///x@sha256:1"},
        "cortex-build:1": {"location": "oci-layout:///x@sha256:2"},
    }
    packages = {"cortex-packages:1": {"location": "oci-layout:///x@sha256:3"}}
    tools = {"cortex-backup-tools:0123456789ab": {"location": "/cache/backup-tools/0123456789ab"}}
    for name, named in (("api", own), ("gateway", own | packages), ("backup", own | tools)):
        built = recorder.one(IMAGE, name).inputs
        assert built["builder"] == {"name": "cortex"}
        assert built["network"] == "host"
        assert (built["buildArgs"]["OS_IMAGE"], built["buildArgs"]["BUILD_IMAGE"]) == ("cortex-os:1", "cortex-build:1")
        assert built["context"]["named"] == named


def test_only_the_gateway_adds_packages_and_only_backup_its_tools(host):
    """The others are not built anew when those change."""
    made = images.specs(load_settings({}, "dev"))
    given = {name: host.arguments_of(spec).items() - host.arguments.items() for name, spec in made.items()}
    adding = {name: dict(arguments) for name, arguments in given.items() if not name.startswith("api")}
    assert adding == {
        "backup": {"BACKUP_TOOLS": "cortex-backup-tools:0123456789ab"},
        "chroma": {},
        "gateway": {"PACKAGES_IMAGE": "cortex-packages:1"},
    }


def test_backup_tools_are_known_by_their_folders_name_whether_they_are_there_or_not(host):
    """So a preview needs none, and another folder of the same name is the same image."""
    spec = images.specs(load_settings({}, "dev"))["backup"]
    elsewhere = images.BuildHost.from_environment({"CORTEX_BACKUP_TOOLS": "/home/other/0123456789ab"})
    assert elsewhere.backup_tools == host.backup_tools
    newer = images.BuildHost.from_environment({"CORTEX_BACKUP_TOOLS": "/home/other/ba9876543210"})
    tags = [spec.content_tag(each.arguments_of(spec)) for each in (elsewhere, newer, images.BuildHost())]
    assert len(set(tags)) == 3
