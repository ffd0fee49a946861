"""Backups of a running stack: archive and bases are made, restored beside it, and seen by nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from infra.topologies.backup import BACKUP, DRILL
from infra.topologies.parts import API, GATEWAY
from ops import collection, restoring
from ops.stack import StackError
from tests.deploy import rows
from tests.deploy.deployment import Deployment, wait_for

COLLECTION, ROWS = "backed-up", 200


def fill(deployment: Deployment) -> None:
    """Have rows in it."""
    with deployment.client() as client:
        rows.make(client, COLLECTION, ROWS)


def asked(deployment: Deployment, part: str, *arguments: str) -> dict:
    """The backup program's answer in one of the containers."""
    return json.loads(deployment.docker(["exec", deployment.container(part), "python3", "-m", "backup", *arguments]))


def judged(deployment: Deployment, name: str) -> dict:
    """What the store's guard says of one thing."""
    text = deployment.docker(["exec", deployment.container(), "cat", "/tmp/cortex/health.json"])
    return next(each for each in json.loads(text)["judgements"] if each["name"] == name)


def test_what_is_written_is_archived_within_seconds_and_in_the_next_base(deployment: Deployment) -> None:
    fill(deployment)
    wait_for(lambda: judged(deployment, "archive_lag")["value"] is not None, "the archive to be measured")
    assert judged(deployment, "archive_lag")["verdict"] == "ok"
    made = asked(deployment, BACKUP, "now", "--json", "--wait-s", "60")
    assert next(each for each in made["collections"] if each["name"] == COLLECTION)["records"] == ROWS
    wait_for(lambda: "since the last base" in judged(deployment, "base_age")["message"], "the guard to see the base")
    assert asked(deployment, BACKUP, "check", "--read-all", "--json", "--wait-s", "60")["problems"] == []


def test_a_drill_restores_it_and_a_server_answers_right(deployment: Deployment) -> None:
    fill(deployment)
    report = asked(deployment, DRILL, "drill", "--json")
    assert (report["passed"], report["why"]) == (True, "")
    assert report["restored"]["records"] >= ROWS
    assert report["searches"] > 0
    wait_for(
        lambda: judged(deployment, "drill")["message"].startswith("since everything was restored"),
        "the guard to see the report",
    )


def test_the_drill_can_write_nothing_at_the_target_and_sees_no_store(deployment: Deployment) -> None:
    drill = deployment.host(part=DRILL)
    assert drill.run("touch /backup/x").rc != 0
    assert not drill.file("/data/chroma.sqlite3").exists
    assert not drill.file("/var/run/docker.sock").exists


def test_nobody_else_sees_the_backups_or_their_key(deployment: Deployment) -> None:
    for part in (API, GATEWAY):
        inside = deployment.host("root", part)
        assert not inside.file("/backup").exists
        assert not inside.file("/run/cortex/secrets/backup.json").exists
    inside = deployment.host("root", BACKUP)
    file = inside.file("/run/cortex/secrets/backup.json")
    assert (file.uid, file.gid, file.mode) == (0, 10001, 0o440)
    mine = inside.check_output("find /backup /staging /scratch -type f -perm /077 -not -path '/scratch/*' | head")
    assert mine == "", "files of backups are their owner's alone"


def test_a_backup_is_restored_into_a_directory_beside_the_running_stack(deployment: Deployment, tmp_path: Path) -> None:
    fill(deployment)
    assert restoring.into_directory(deployment, "latest", tmp_path / "restored") == 0
    assert (tmp_path / "restored/chroma.sqlite3").exists()
    assert deployment.serves()


def test_one_collection_comes_back_under_another_name(deployment: Deployment) -> None:
    fill(deployment)
    wait_for(lambda: judged(deployment, "archive_lag")["verdict"] == "ok", "the archive to be up to date")
    collection.restore(deployment, "latest", COLLECTION, f"{COLLECTION}-again", Console(stderr=True))
    with deployment.client() as client:
        assert rows.read(client, f"{COLLECTION}-again") == rows.wanted(ROWS)
        with pytest.raises(StackError, match="cannot be made"):
            collection.restore(deployment, "latest", COLLECTION, f"{COLLECTION}-again", Console(stderr=True))
    with pytest.raises(StackError, match="nothing was restored"):
        collection.restore(deployment, "latest", "no-such", "other", Console(stderr=True))
