"""Builds: keyed by what decides them, whole or absent, once."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from tools import binaries, go_build, recipe
from tools.errors import ToolError
from tools.go_toolchain import Go
from tools.host import Host
from tools.locations import Locations
from tools.versions import ALWAYS, BACKUP, BUILDKIT, PULUMI

FAKE_GO = """#!/bin/sh
for last; do [ "$previous" = -o ] && out=$last; previous=$last; done
case "$1" in
build) echo $GOOS $GOARCH >>"$LOG"; echo {content} >"$out/thing"; {after} ;;
esac
"""


@pytest.fixture
def thing(tmp_path: Path) -> recipe.Recipe:
    folder = tmp_path / "recipes" / "thing"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text('version = "1.0.0"\npackages = ["."]\nbinaries = ["thing"]\n')
    (folder / "go.mod").write_text("module thing\n")
    return recipe.load("thing", folder.parent)


def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after: str = "exit 0") -> Go:
    command = tmp_path / "go"
    command.write_text(FAKE_GO.format(content="built", after=after))
    command.chmod(0o755)
    monkeypatch.setenv("LOG", str(tmp_path / "runs"))
    return Go(command, "1.26.0", "PATH")


def runs(tmp_path: Path) -> int:
    log = tmp_path / "runs"
    return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.mark.parametrize("name", sorted(path.name for path in recipe.RECIPES.iterdir() if path.is_dir()))
def test_every_recipe_can_be_read_and_has_a_complete_module(name: str) -> None:
    one = recipe.load(name)
    assert one.packages
    assert one.binaries
    assert (one.folder / "go.mod").read_text().startswith("module ")
    assert (one.folder / "go.sum").stat().st_size > 0


def test_tools_and_recipes_agree() -> None:
    for tool in (*ALWAYS, *BACKUP, BUILDKIT):
        recipes = [recipe.load(name) for name in tool.recipes]
        assert {name for one in recipes for name in one.binaries} == set(tool.binaries)
        assert recipes[0].version == tool.version


@pytest.mark.parametrize("change", ["go.mod", "recipe.toml", "new.go"])
def test_any_change_of_a_recipe_changes_its_key(change: str, thing: recipe.Recipe, host: Host) -> None:
    before, before_anywhere = thing.key(host), thing.key_of_any_host()
    path = thing.folder / change
    path.write_text((path.read_text() if path.exists() else "") + "\n")
    assert thing.key(host) != before
    assert thing.key_of_any_host() != before_anywhere


def test_the_key_depends_on_the_platform_and_on_nothing_else(thing: recipe.Recipe, host: Host, tmp_path: Path) -> None:
    assert thing.key(host) != thing.key(Host("linux", "arm64"))
    shutil.copytree(thing.folder, tmp_path / "elsewhere" / "thing")
    assert recipe.load("thing", tmp_path / "elsewhere").key(host) == thing.key(host)


def test_a_build_is_kept_and_not_repeated(
    thing: recipe.Recipe, where: Locations, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = fake_go(tmp_path, monkeypatch)
    assert go_build.build_all([thing], go, where, host) == 1
    assert go_build.build_all([thing], go, where, host) == 0
    assert (thing.target(where, host) / "thing").read_text() == "built\n"
    assert (thing.target(where, host) / "thing").stat().st_mode & 0o111
    assert runs(tmp_path) == 1


def test_it_is_built_for_the_host_that_it_runs_on(
    thing: recipe.Recipe, where: Locations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a shell that is set up to build for another."""
    monkeypatch.setenv("GOOS", "windows")
    go = fake_go(tmp_path, monkeypatch)
    for arch in ("amd64", "arm64"):
        go_build.build_all([thing], go, where, Host("linux", arch))
    assert (tmp_path / "runs").read_text() == "linux amd64\nlinux arm64\n"
    assert thing.target(where, Host("linux", "amd64")) != thing.target(where, Host("linux", "arm64"))


def test_an_interrupted_build_leaves_nothing_half_made_and_starts_again(
    thing: recipe.Recipe, where: Locations, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = fake_go(tmp_path, monkeypatch, after="kill -KILL $$")
    with pytest.raises(ToolError, match="building thing"):
        go_build.build_all([thing], go, where, host)
    assert not thing.target(where, host).exists()
    assert go_build.build_all([thing], fake_go(tmp_path, monkeypatch), where, host) == 1
    assert (thing.target(where, host) / "thing").is_file()
    assert not [path for path in where.toolchain.iterdir() if path.name.endswith(".partial")]


def test_finished_binaries_survive_the_failure_of_a_later_one(
    thing: recipe.Recipe, where: Locations, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(thing.folder, thing.folder.parent / "other")
    (thing.folder.parent / "other" / "recipe.toml").write_text(
        'version = "1.0.0"\npackages = ["."]\nbinaries = ["never"]\n'
    )
    other = recipe.load("other", thing.folder.parent)
    go = fake_go(tmp_path, monkeypatch)
    with pytest.raises(ToolError, match="the build made no never"):
        go_build.build_all([thing, other], go, where, host)
    assert go_build.missing([thing, other], where, host) == [other]


def test_two_builders_at_once_build_once(
    thing: recipe.Recipe, where: Locations, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first build holds until the second has said that it waits.
    gate = tmp_path / "gate"
    go = fake_go(tmp_path, monkeypatch, after=f"until [ -e {gate} ]; do sleep 0.02; done")
    begun, told = threading.Event(), threading.Event()
    first = threading.Thread(target=go_build.build_all, args=([thing], go, where, host, lambda _: begun.set()))
    first.start()
    assert begun.wait(10)
    second = threading.Thread(target=go_build.build_all, args=([thing], go, where, host, lambda _: told.set()))
    second.start()
    assert told.wait(10)
    gate.touch()
    first.join(10)
    second.join(10)
    assert runs(tmp_path) == 1


def test_linker_variables_are_filled_in() -> None:
    assert recipe.load("pulumi").linker_flags.endswith("version.Version=v3.259.0")


@pytest.mark.parametrize(
    ("said", "will_do"), [("v3.259.0", True), ("v3.300.1", True), ("v3.258.9", False), ("", False)]
)
def test_path_comes_first_if_it_is_new_enough(
    said: str, will_do: bool, where: Locations, host: Host, bare_path: Path
) -> None:
    built = binaries.built_folder(PULUMI, where, host)
    built.mkdir(parents=True)
    for name in PULUMI.binaries:
        (bare_path / name).write_text(f"#!/bin/sh\necho {said}\n")
        (bare_path / name).chmod(0o755)
        (built / name).touch()
    found = binaries.find(PULUMI, where, host)
    assert found is not None
    assert found.source == (binaries.ON_PATH if will_do else binaries.BUILT)


def test_a_cli_on_path_without_its_language_host_does_not_do(where: Locations, host: Host, bare_path: Path) -> None:
    (bare_path / "pulumi").write_text("#!/bin/sh\necho v3.259.0\n")
    (bare_path / "pulumi").chmod(0o755)
    assert binaries.find(PULUMI, where, host) is None
