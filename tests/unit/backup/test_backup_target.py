from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from backup.command import Ran
from backup.config import AnyTarget, DirectoryTarget, S3Target, SftpTarget
from backup.errors import BackupError, TargetFull, TargetRefused, TargetUnreachable, ToolFailed
from backup.keys import derive
from backup.private import private_folder, write_private

from backup import target

S3 = S3Target("https://s3.example.org", "b", "p/q", "eu", True, "AKID", "hush", "")
SFTP = SftpTarget("host", 2222, "u", "folder", "PRIVATE KEY", "ssh-ed25519 AAAA")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a target without rclone: passwords are obscured by turning them round."""

    def run(command: Sequence[str], *, given: bytes = b"", **_: object) -> Ran:
        assert tuple(command[:2]) == ("rclone", "obscure")
        return Ran(0, given[::-1] + b"\n", "")

    monkeypatch.setattr(target, "run", run)
    return lambda settings: target.Target(settings, derive("k" * 43), tmp_path)


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        (DirectoryTarget("/backup"), ("type = local", "remote = target:/backup/sealed")),
        (S3, ("type = s3", "region = eu", "force_path_style = true", "remote = target:b/p/q/sealed")),
        (SFTP, ("type = sftp", "port = 2222", "remote = target:folder/sealed")),
    ],
)
def test_each_place_is_written_for_rclone(
    made: Any, tmp_path: Path, settings: AnyTarget, lines: tuple[str, ...]
) -> None:
    place = made(settings)
    text = (tmp_path / "rclone.conf").read_text()
    for line in (*lines, f"password = {derive('k' * 43).crypt_password[::-1]}"):
        assert line in text.splitlines()
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in tmp_path.iterdir())
    assert place.plain("bases").startswith("target:")
    assert "hush" not in place.words + repr(place)
    if settings is SFTP:
        assert (tmp_path / "known-hosts").read_text() == "[host]:2222 ssh-ed25519 AAAA\n"
    assert not {name for name in place.variables if name.startswith(("CORTEX_", "BACKUP_"))}


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("NOTICE: write /backup/x: no space left on device", TargetFull, "has no room left"),
        ("Failed: operation error S3: StatusCode: 403, AccessDenied", TargetRefused, "refuses: check its credentials"),
        ("ssh: handshake failed: knownhosts: key mismatch", TargetRefused, "is not who it should be"),
        ("dial tcp 10.0.0.1:443: connect: connection refused", TargetUnreachable, "does not answer"),
        ("something new", ToolFailed, "cannot be used: something new"),
        ("", ToolFailed, "it says nothing"),
    ],
)
def test_what_tools_say_is_explained(made: Any, said: str, kind: type[BackupError], words: str) -> None:
    found = made(S3).explained(said)
    assert type(found) is kind
    assert words in str(found)
    assert str(found).startswith("the bucket b/p/q at https://s3.example.org ")


def test_a_private_folder_goes_with_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left_behind = tmp_path / "cortex-backup-of-a-dead-one"
    left_behind.mkdir()
    with private_folder() as folder:
        assert not left_behind.exists()
        assert folder.stat().st_mode & 0o777 == 0o700
        file = write_private(folder / "secret", "1")
        assert write_private(file, "2").stat().st_mode & 0o777 == 0o600
        with private_folder() as other:
            assert other != folder
        assert file.read_text() == "2"
    assert not list(tmp_path.iterdir())
