"""How full the disk is, and how much the store takes."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from healthcheck.disk import allocated_bytes, filesystem


def test_the_file_system_as_df_shows_it(tmp_path: Path) -> None:
    found = filesystem(str(tmp_path))
    command = ["df", "--block-size=1", "--output=used,avail,iused,iavail", tmp_path]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used, available, used_inodes, free_inodes = map(int, shown.splitlines()[1].split())
    assert found.used_bytes == pytest.approx(used, abs=256 << 20)
    assert found.usable_bytes == pytest.approx(used + available, abs=256 << 20)
    assert found.usable_inodes == pytest.approx(used_inodes + free_inodes, rel=0.01)


def test_the_reserve_of_root_counts_as_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reply:
        f_blocks, f_bfree, f_bavail, f_frsize, f_files, f_ffree, f_favail = 100, 30, 20, 4096, 50, 10, 5

    monkeypatch.setattr(os, "statvfs", lambda _: Reply)
    found = filesystem("/anywhere")
    assert (found.used_bytes, found.usable_bytes) == (70 * 4096, 90 * 4096)
    assert (found.used_inodes, found.usable_inodes) == (40, 45)


def test_a_file_system_with_no_fixed_number_of_inodes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reply:
        f_blocks, f_bfree, f_bavail, f_frsize, f_files, f_ffree, f_favail = 100, 30, 20, 4096, 0, 0, 0

    monkeypatch.setattr(os, "statvfs", lambda _: Reply)
    assert filesystem("/anywhere").usable_inodes == 0


def test_allocated_bytes_are_those_of_du(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(os.urandom(100_000))
    (tmp_path / "small").write_text("x")
    os.link(tmp_path / "small", tmp_path / "hard")
    (tmp_path / "soft").symlink_to("/usr")
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(1 << 40)
    shown = subprocess.run(["du", "-s", "--block-size=1", tmp_path], check=True, capture_output=True, text=True).stdout
    assert allocated_bytes(str(tmp_path)) == int(shown.split()[0])


def test_what_vanishes_meanwhile_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "file").write_bytes(b"x" * 10_000)
    real = os.scandir

    def vanishing(path: str) -> object:
        if path != str(tmp_path):
            raise FileNotFoundError(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert allocated_bytes(str(tmp_path)) < 10_000


def test_a_missing_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        allocated_bytes(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError):
        filesystem(str(tmp_path / "nowhere"))


def test_the_walk_keeps_its_deadline(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        allocated_bytes(str(tmp_path), time.monotonic() - 1)
