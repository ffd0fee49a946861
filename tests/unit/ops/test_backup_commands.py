"""Backups from the command line, on stand-ins for pulumi and docker."""

from __future__ import annotations

import json

import pytest

KEY = "k" * 43
BACKUP = {
    "target": "s3",
    "endpoint": "https://s3.example.com",
    "bucket": "b-1",
    "sftp_port": 22,
    "region": "eu-1",
    "path_style": True,
    "access_key_id": "id",
    "secret_access_key": True,
    "directory": None,
    "prefix": "",
    "package": "0.1.0",
    "key": KEY,
}
OUTPUTS = {
    "url": "https://127.0.0.1:8443",
    "container": "cortex-dev-api",
    "volume": "cortex-dev-store",
    "backup": BACKUP,
}
UP = ("stack output", json.dumps(OUTPUTS), 0)
WITHOUT = ("stack output", json.dumps({**OUTPUTS, "backup": None}), 0)
THERE = (
    ("status=running", "cortex-dev-api\ncortex-dev-backup\ncortex-dev-drill\ncortex-dev-gateway\n", 0),
    ("status=exited", "", 0),
)
EXEC = "docker exec --interactive cortex-dev-backup python3 -m backup"


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        (("backup", "now"), "backup python3 -m backup now --wait-s 600"),
        (("backup", "list", "--json"), "backup python3 -m backup list --json"),
        (("backup", "check", "--read-all"), "backup python3 -m backup check --wait-s 600 --read-all"),
        (("backup", "status"), "backup python3 -m backup status"),
        (("drill", "--to", "0123abcd"), "drill python3 -m backup drill --to 0123abcd"),
    ],
)
def test_each_command_is_asked_of_its_container_and_ends_with_its_code(command, programs, asked, runs):
    programs.add("pulumi", UP)
    programs.add("docker", *THERE, ("exec", "", 75))
    assert command(*asked)[0] == 75
    assert programs.calls[-1] == f"docker exec --interactive cortex-dev-{runs}"


def test_a_stack_without_backups_says_so(command, programs):
    programs.add("pulumi", WITHOUT)
    programs.add("docker", ("status=running", "cortex-dev-api\n", 0), ("status=exited", "", 0))
    code, out, err = command("backup", "now")
    assert (code, out) == (1, "")
    assert "has no container 'backup'" in err
    assert "cortex:backup.target" in err
    assert command("recovery-sheet") == (
        1,
        "",
        "error: stack dev has no backups (cortex:backup.target is none)\n",
    )


def test_the_recovery_sheet_has_the_key_and_every_command(command, programs):
    programs.add("pulumi", UP)
    code, out, err = command("recovery-sheet")
    assert (code, err) == (0, "")
    for line in (
        f"key      {KEY}",
        "make shell STACK=dev",
        "pulumi config set --path backup.target s3",
        'pulumi config set --path backup.endpoint "https://s3.example.com"',
        'pulumi config set --path backup.bucket "b-1"',
        "pulumi config set --path --secret backup.secret_access_key",
        f"pulumi config set --path --secret backup.encryption_key {KEY}",
        "pulumi config set --path restore.to latest",
        "make up STACK=dev",
    ):
        assert line in out
    assert "backup.prefix" not in out
    assert "backup.directory" not in out
    assert "sftp" not in out, "of another kind of target"
    assert max(len(line) for line in out.splitlines()) <= 110, "it is printed on paper"


@pytest.mark.parametrize("how", [("destroy",), ("purge", "--confirm", "dev")])
def test_a_last_base_is_taken_and_read_back_before_anything_goes(command, programs, how):
    programs.add("pulumi", UP, ("stack ls", "[]", 0), ("state", "", 0), ("destroy", "", 0), ("stack", "", 0))
    programs.add(
        "docker",
        *THERE,
        ("backup now", '{"id": "0123abcd99", "records": 1234}\n', 0),
        ("backup check", "{}", 0),
        ("volume rm", "", 0),
    )
    code, out, err = command(*how)
    assert code == 0, err
    assert "base 0123abcd has 1,234 records" in err
    calls = programs.calls
    taken, read_back, gone = (
        next(number for number, call in enumerate(calls) if words in call)
        for words in ("backup now --json --wait-s", "backup check --read-all --json --wait-s", "pulumi destroy")
    )
    assert taken < read_back < gone
    assert not any("cortex-dev-backups" in call for call in calls), "backups are never touched"
    assert (KEY in out) == (how[0] == "purge")


@pytest.mark.parametrize("how", [("destroy",), ("purge", "--confirm", "dev")])
@pytest.mark.parametrize("failing", ["backup now", "backup check"])
def test_nothing_goes_without_a_last_base_unless_told_to(command, programs, how, failing):
    programs.add("pulumi", UP, ("stack ls", "[]", 0), ("state", "", 0), ("destroy", "", 0), ("stack", "", 0))
    programs.add(
        "docker", *THERE, (failing, "no room\n", 65), ("backup now", '{"id": "0", "records": 0}', 0), ("volume", "", 0)
    )
    code, _, err = command(*how)
    assert code == 65
    assert "nothing was removed" in err
    assert "--no-base" in err
    assert not any("destroy" in call or "volume" in call for call in programs.calls)
    assert command(*how, "--no-base")[0] == 0


def test_a_stack_without_backups_goes_without_a_base(command, programs):
    programs.add("pulumi", WITHOUT, ("destroy", "", 0))
    programs.add("docker", *THERE)
    assert command("destroy")[0] == 0
    assert not any("exec" in call for call in programs.calls)
