from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from backup.errors import BadConfig

from backup import config

KEY = "k" * 43
GOOD: dict[str, Any] = {
    "stack": "dev",
    "store": "/data",
    "key": KEY,
    "target": {"kind": "directory", "path": "/backup"},
    "bases": {
        "schedule": "0 * * * *",
        "time_zone": "Europe/Berlin",
        "jitter_s": 300,
        "keep": {"last": 3, "hourly": 24, "daily": 7, "weekly": 5, "monthly": 12},
    },
    "archive": {
        "days": 7,
        "snapshot_days": 3,
        "step_s": 30,
        "staging_bytes": 536870912,
        "wal_bytes": 268435456,
        "staging_path": "/staging",
    },
    "drills": {"schedule": "0 4 * * sun", "time_zone": "UTC", "jitter_s": 1800},
    "state": '{"a": 1}',
    "versions": {"package": "0.1.0", "chroma": "1.5.9"},
}
S3 = {
    "kind": "s3",
    "endpoint": "https://s3.example.org",
    "bucket": "b",
    "prefix": "/p/",
    "region": "eu",
    "path_style": True,
    "access_key_id": "AKID",
    "secret_access_key": "hush-hush",
    "ca": "",
}


def write(folder: Path, content: object) -> Path:
    file = folder / "backup.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_a_right_file_is_taken(tmp_path: Path) -> None:
    found = config.load(write(tmp_path, GOOD))
    assert found.target == config.DirectoryTarget("/backup")
    assert found.bases.time_zone == "Europe/Berlin"
    assert (found.keep.last, found.keep.monthly) == (3, 12)
    assert found.archive.staging_path == Path("/staging")
    assert found.chroma_version == "1.5.9"


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    found = config.load(write(tmp_path, {**GOOD, "target": S3}))
    assert isinstance(found.target, config.S3Target)
    assert found.target.prefix == "p"
    for secret in (KEY, "hush-hush", "AKID", '{"a": 1}'):
        assert secret not in repr(found)


def test_all_problems_are_told_at_once_and_no_secret(tmp_path: Path) -> None:
    wrong = {
        **GOOD,
        "key": "short-secret",
        "target": {**S3, "endpoint": "s3.example.org", "secret_access_key": ""},
        "bases": {**GOOD["bases"], "schedule": "every hour", "time_zone": "Mars/Olympus"},
        "archive": {**GOOD["archive"], "days": 0},
    }
    with pytest.raises(BadConfig) as caught:
        config.load(write(tmp_path, wrong))
    text = str(caught.value)
    assert "short-secret" not in text
    assert len(caught.value.problems) == 6
    for key in ("key", "target.endpoint", "target.secret_access_key", "bases.schedule", "bases.time_zone"):
        assert f": {key} " in text
    assert "archive.days is not a whole number from 1 to 3650, for example 7" in text
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({**GOOD, "target": {"kind": "ftp"}})])
def test_what_is_no_configuration_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadConfig):
        config.load(write(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"nowhere\.json cannot be read"):
        config.load(tmp_path / "nowhere.json")
