"""The programs of the image `backup`: for the processor of its containers, in a folder that says what they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import backup_tools, recipe
from tools.binaries import built_folder, find, find_all, vendor_folder
from tools.host import Host
from tools.locations import Locations
from tools.versions import BACKUP, RESTIC

ARM, AMD = Host("linux", "arm64"), Host("linux", "amd64")


def build(where: Locations, host: Host) -> None:
    """Pretends that the programs were built."""
    for tool in BACKUP:
        folder = built_folder(tool, where, host)
        folder.mkdir(parents=True)
        for name in tool.binaries:
            (folder / name).write_text(f"{name} for {host.go_arch}")
            (folder / name).chmod(0o755)


def test_they_lie_together_by_processor(where: Locations) -> None:
    for host in (AMD, ARM):
        build(where, host)
        assert not backup_tools.is_complete(where, host)
        backup_tools.lay_out(find_all(BACKUP, where, host), where, host)
    folder = backup_tools.target(where)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        f"{arch}/{name}" for arch in ("amd64", "arm64") for name in ("litestream", "rclone", "restic")
    ]
    assert (folder / "arm64" / "restic").read_text() == "restic for arm64"
    assert (folder / "arm64" / "restic").stat().st_mode & 0o777 == 0o755


def test_laying_them_out_again_changes_nothing(where: Locations) -> None:
    build(where, AMD)
    found = find_all(BACKUP, where, AMD)
    once = backup_tools.lay_out(found, where, AMD)
    before = (once / "amd64").stat()
    assert backup_tools.lay_out(found, where, AMD) == once
    assert (once / "amd64").stat().st_ino == before.st_ino


def test_half_a_folder_does_not_count(where: Locations) -> None:
    build(where, AMD)
    half = backup_tools.target(where) / ".amd64.partial"
    half.mkdir(parents=True)
    (half / "left over").touch()
    assert not backup_tools.is_complete(where, AMD)
    folder = backup_tools.lay_out(find_all(BACKUP, where, AMD), where, AMD)
    assert [path.name for path in folder.iterdir()] == ["amd64"]
    assert not (folder / "amd64" / "left over").exists()


def test_the_name_changes_with_the_recipes_and_with_nothing_else(
    where: Locations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "recipes"
    shutil.copytree(recipe.RECIPES, copied)
    load = recipe.load
    before = backup_tools.target(where)
    monkeypatch.setattr(recipe, "load", lambda name: load(name, copied))
    assert backup_tools.target(where) == before
    (copied / "pulumi" / "recipe.toml").write_text("")
    assert backup_tools.target(where) == before
    (copied / "restic" / "go.sum").write_text("other")
    assert backup_tools.target(where) != before


def test_one_on_path_is_not_taken_since_it_is_not_what_the_image_needs(
    where: Locations, bare_path: Path, host: Host
) -> None:
    (bare_path / "restic").write_text("#!/bin/sh\necho restic 9.9.9\n")
    (bare_path / "restic").chmod(0o755)
    assert find(RESTIC, where, host) is None


def test_the_vendors_comes_before_the_own_build(where: Locations) -> None:
    build(where, AMD)
    vendor_folder(RESTIC, where, AMD).mkdir(parents=True)
    (vendor_folder(RESTIC, where, AMD) / "restic").write_text("the vendor's")
    folder = backup_tools.lay_out(find_all(BACKUP, where, AMD), where, AMD)
    assert (folder / "amd64" / "restic").read_text() == "the vendor's"
