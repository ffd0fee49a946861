"""What a subprocess gets: everything it needs, and nothing the user decided otherwise."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tools import acquire, backup_tools, environment, image_builder, os_image
from tools.binaries import built_folder, find_all, vendor_folder
from tools.errors import ToolError
from tools.host import Host, this_host
from tools.locations import CHECKOUT, Locations
from tools.oci_layout import ImageConfig, LayoutWriter, read_digests
from tools.versions import ALWAYS


@pytest.fixture
def built(where: Locations, bare_path: Path) -> Locations:
    """A machine whose tools were built on it."""
    for tool in ALWAYS:
        folder = built_folder(tool, where, this_host())
        folder.mkdir(parents=True)
        for name in tool.binaries:
            (folder / name).touch(mode=0o755)
    return where


def add_os_image(where: Locations, created: str) -> None:
    writer = LayoutWriter(os_image.target(where, this_host()))
    config = ImageConfig("amd64", created, {}, {})
    for tag in ("os", "build", "packages"):
        writer.add_image(tag, config, [])
    writer.close()


@pytest.fixture
def with_own_builder(built: Locations) -> Locations:
    """The same with a builder and an OS image of its own."""
    image_builder.write_instance(built)
    add_os_image(built, created="2026-11-01T00:00:00Z")
    return built


def given(**more: str) -> dict[str, str]:
    kept = ("PATH", "HOME", "CORTEX_CACHE_DIR", "CORTEX_STATE_DIR")
    return {name: os.environ[name] for name in kept} | more


def test_a_bare_machine_gets_everything(built: Locations) -> None:
    env = environment.environment(given())
    state = built.state
    assert env["PULUMI_BACKEND_URL"] == f"file://{state}/pulumi"
    assert env["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(state / "passphrase")
    assert env["PULUMI_HOME"] == str(state / "pulumi-home")
    assert env["PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER"] == "true"
    assert built.backend.is_dir()
    assert built.passphrase.stat().st_mode & 0o777 == 0o600


def test_path_leads_to_the_environment_then_the_tools_then_the_users(built: Locations, bare_path: Path) -> None:
    path = environment.environment(given())["PATH"].split(os.pathsep)
    pulumi = str(built_folder(ALWAYS[0], built, this_host()))
    assert path == [str(CHECKOUT / ".venv" / "bin"), pulumi, str(bare_path), "/usr/bin", "/bin"]


def test_asking_twice_changes_nothing(built: Locations) -> None:
    once = environment.environment(given())
    assert environment.environment(once) == once


@pytest.mark.parametrize(
    "own",
    [
        {"PULUMI_BACKEND_URL": "s3://bucket"},
        {"PULUMI_CONFIG_PASSPHRASE": ""},
        {"PULUMI_CONFIG_PASSPHRASE_FILE": "/somewhere"},
        {"PULUMI_HOME": "/somewhere"},
        {"PULUMI_SKIP_UPDATE_CHECK": "false"},
        {"PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "false"},
        {"CORTEX_OS_IMAGE": "registry.example/python:3.12"},
        {"CORTEX_BACKUP_TOOLS": "/somewhere/programs"},
        {"CORTEX_BUILDER": "mine", "CORTEX_BUILD_NETWORK": "none"},
        {"DOCKER_HOST": "tcp://10.0.0.1:2376"},
    ],
)
def test_what_the_user_set_stays(own: dict[str, str], with_own_builder: Locations) -> None:
    env = environment.environment(given(**own))
    assert {name: env[name] for name in own} == own


def test_an_own_passphrase_makes_no_file(built: Locations) -> None:
    env = environment.environment(given(PULUMI_CONFIG_PASSPHRASE="mine"))
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in env
    assert not built.passphrase.exists()


def test_a_backend_with_a_login_keeps_the_users_home_and_finds_the_plugins_on_path(built: Locations) -> None:
    env = environment.environment(given(PULUMI_BACKEND_URL="https://pulumi.example"))
    assert "PULUMI_HOME" not in env
    for tool in ALWAYS:
        assert str(built_folder(tool, built, this_host())) in env["PATH"].split(os.pathsep)


def test_pulumi_may_fetch_and_ask_where_the_vendor_answers(where: Locations, bare_path: Path) -> None:
    for tool in ALWAYS:
        folder = vendor_folder(tool, where, this_host())
        folder.mkdir(parents=True)
        for name in tool.binaries:
            (folder / name).touch(mode=0o755)
    env = environment.environment(given())
    assert "PULUMI_SKIP_UPDATE_CHECK" not in env
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in env


def test_built_tools_keep_pulumi_from_asking_the_vendor(built: Locations) -> None:
    env = environment.environment(given())
    assert env["PULUMI_SKIP_UPDATE_CHECK"] == env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_a_missing_tool_is_named(where: Locations, bare_path: Path) -> None:
    with pytest.raises(ToolError, match=r"pulumi, pulumi-resource-docker.* missing; run `make up`"):
        environment.environment(given())


def test_without_an_own_builder_nothing_is_said_of_one(built: Locations) -> None:
    env = environment.environment(given())
    names = {"CORTEX_BUILDER", "CORTEX_BUILD_NETWORK", "BUILDX_CONFIG", "CORTEX_OS_IMAGE", "CORTEX_OS_LAYOUT"}
    assert not names & env.keys()


def test_the_own_builder_and_os_image_are_told(with_own_builder: Locations) -> None:
    env = environment.environment(given())
    layout = os_image.target(with_own_builder, this_host())
    digest = read_digests(layout)["os"]
    assert env["CORTEX_BUILDER"] == "cortex"
    assert env["CORTEX_BUILD_NETWORK"] == "host"
    assert env["BUILDX_CONFIG"] == str(with_own_builder.buildx)
    assert env["CORTEX_OS_LAYOUT"] == f"oci-layout://{layout}@{digest}"
    assert env["CORTEX_OS_IMAGE"] == f"cortex-os:{digest.removeprefix('sha256:')[:12]}"
    assert env["CORTEX_BUILD_IMAGE"].startswith("cortex-build:")
    assert env["CORTEX_PACKAGES_IMAGE"].startswith("cortex-packages:")
    assert env["CORTEX_PACKAGES_LAYOUT"] == f"oci-layout://{layout}@{read_digests(layout)['packages']}"


def test_a_shell_of_ours_learns_of_a_new_os_image(with_own_builder: Locations) -> None:
    before = environment.environment(given())
    shutil.rmtree(os_image.target(with_own_builder, this_host()))
    add_os_image(with_own_builder, created="2027-01-01T00:00:00Z")
    assert environment.environment(before)["CORTEX_OS_IMAGE"] != before["CORTEX_OS_IMAGE"]


def test_the_backup_tools_are_named_before_they_are_there(built: Locations) -> None:
    env = environment.environment(given())
    assert env["CORTEX_BACKUP_TOOLS"] == str(backup_tools.target(built))
    assert not backup_tools.target(built).exists()


def test_a_shell_of_ours_learns_of_newer_backup_tools(built: Locations) -> None:
    before = environment.environment(given()) | {"CORTEX_BACKUP_TOOLS": str(built.backup_tools / "0123456789ab")}
    assert environment.environment(before)["CORTEX_BACKUP_TOOLS"] == str(backup_tools.target(built))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"])
def test_a_companys_certificates_reach_the_builds(variable: str, built: Locations, tmp_path: Path) -> None:
    bundle = tmp_path / "company.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----\n")
    assert environment.environment(given(**{variable: str(bundle)}))["CORTEX_BUILD_CA"] == str(bundle)
    assert "CORTEX_BUILD_CA" not in environment.environment(given(**{variable: str(tmp_path / "none.pem")}))


def test_plugins_are_linked_where_pulumi_looks(built: Locations, host: Host) -> None:
    found = list(find_all(ALWAYS, built, this_host()).values())
    acquire.link_plugins(found, built)
    acquire.link_plugins(found, built)
    plugins = built.pulumi_home / "plugins"
    assert sorted(path.name for path in plugins.iterdir()) == [
        "resource-docker-build-v0.0.22",
        "resource-docker-v5.1.0",
    ]
    link = plugins / "resource-docker-v5.1.0" / "pulumi-resource-docker"
    assert link.resolve() == built_folder(ALWAYS[1], built, this_host()) / "pulumi-resource-docker"
