"""State that must survive: the passphrase, and the settings files of the checkout."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from tools import passphrase, settings_files
from tools.errors import ToolError
from tools.locations import locations

WRITTEN = b"# What will be stored.\nconfig:\n    cortex:corpus: {vectors: 100_000}   # upper bound\n"
# As Pulumi leaves it: another layout, and its salt.
TOUCHED = (
    b"# What will be stored.\nconfig:\n  cortex:corpus: {vectors: 100000} # upper bound\nencryptionsalt: v1:a=:v1:b\n"
)
CHANGED = b"config:\n  cortex:corpus: {vectors: 5}\nencryptionsalt: v1:a=:v1:b\n"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_bytes(WRITTEN)
    return path


def test_the_passphrase_is_private_and_random(tmp_path: Path) -> None:
    first, second = passphrase.ensure(tmp_path / "a" / "p"), passphrase.ensure(tmp_path / "b" / "p")
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert len(first.read_text()) >= 40
    assert first.read_text() != second.read_text()
    assert [path.name for path in first.parent.iterdir()] == ["p"]


def test_the_passphrase_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_text("mine")
    path.chmod(0o600)
    passphrase.ensure(path)
    assert path.read_text() == "mine"


def test_many_at_once_agree_on_one_passphrase(tmp_path: Path) -> None:
    path, seen, go = tmp_path / "state" / "p", set[str](), threading.Barrier(8)

    def make() -> None:
        go.wait()
        seen.add(passphrase.ensure(path).read_text())

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {path.read_text()}


@pytest.mark.parametrize(("mode", "text", "said"), [(0o644, "x", "chmod 600"), (0o600, "", "is empty")])
def test_an_unfit_passphrase_file_is_refused(mode: int, text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "p"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ToolError, match=said):
        passphrase.ensure(path)


def test_pulumis_salt_and_layout_are_taken_back(settings: Path) -> None:
    with settings_files.kept(settings.parent):
        settings.write_bytes(TOUCHED)
    assert settings.read_bytes() == WRITTEN


def test_they_are_taken_back_after_a_failure_too(settings: Path) -> None:
    def fail() -> None:
        with settings_files.kept(settings.parent):
            settings.write_bytes(TOUCHED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert settings.read_bytes() == WRITTEN


def test_a_real_change_stays_without_the_salt(settings: Path) -> None:
    with settings_files.kept(settings.parent):
        settings.write_bytes(CHANGED)
    assert settings.read_bytes() == b"config:\n  cortex:corpus: {vectors: 5}\n"


def test_a_committed_salt_stays(settings: Path) -> None:
    settings.write_bytes(TOUCHED)
    with settings_files.kept(settings.parent):
        settings.write_bytes(CHANGED)
    assert settings.read_bytes() == CHANGED


def test_a_file_that_pulumi_made_stays_without_the_salt(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.new.yaml"
    with settings_files.kept(tmp_path):
        path.write_bytes(CHANGED)
    assert b"encryptionsalt" not in path.read_bytes()


def test_a_file_that_pulumi_made_for_its_salt_alone_goes(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.new.yaml"
    with settings_files.kept(tmp_path):
        path.write_text("encryptionsalt: v1:abc\n")
    assert not path.exists()


def test_a_file_that_was_removed_stays_removed(settings: Path) -> None:
    with settings_files.kept(settings.parent):
        settings.unlink()
    assert not settings.exists()


def test_the_leftover_of_a_killed_run_is_cleared_when_git_knows_better(settings: Path) -> None:
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *arguments], cwd=settings.parent, check=True)
    settings.write_bytes(TOUCHED)
    with settings_files.kept(settings.parent):
        pass
    assert settings.read_bytes() == WRITTEN


def test_directories_follow_the_users_variables() -> None:
    home = {"HOME": "/home/me"}
    assert locations(home).cache == Path("/home/me/.cache/cortex")
    assert locations(home).state == Path("/home/me/.local/state/cortex")
    xdg = home | {"XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s"}
    assert (locations(xdg).cache, locations(xdg).state) == (Path("/c/cortex"), Path("/s/cortex"))
    own = xdg | {"CORTEX_CACHE_DIR": "/mine/c", "CORTEX_STATE_DIR": "/mine/s"}
    assert (locations(own).cache, locations(own).state) == (Path("/mine/c"), Path("/mine/s"))
