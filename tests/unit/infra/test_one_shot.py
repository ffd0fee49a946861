"""A container that does one thing and ends: what the docker command is asked, and what becomes of its answers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import one_shot

SECRET = '{"key": "what opens the backup"}'
WANTED = {
    "stack": "dev",
    "part": "restore",
    "image": "sha256:of-backup",
    "command": ["python3", "-m", "backup", "restore", "--to", "latest"],
    "environment": {"CORTEX_STACK": "dev", "BACKUP_CONFIG": "/dev/stdin"},
    "user": "10001:10001",
    # Numbers come back from the engine like this.
    "memory_bytes": 1073741824.0,
    "network": "",
    "mounts": ["type=volume,source=cortex-dev-store,target=/data", 'type=bind,"source=/mnt/b",target=/backup,readonly'],
    "limit_s": 600.0,
}


@dataclass
class Call:
    """One run of the docker command."""

    arguments: list[str]
    given: str
    environ: Mapping[str, str] | None
    limit_s: float

    def values(self, option: str) -> list[str]:
        """What was given for an option, each time."""
        return [value for name, value in zip(self.arguments, self.arguments[1:], strict=False) if name == option]


Answer = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]


@pytest.fixture
def docker(monkeypatch):
    """Has the docker command answer; what it was asked, in order."""

    def answers(answer: Answer) -> list[Call]:
        calls: list[Call] = []

        def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            program, *arguments = command
            assert (program, options["check"], options["capture_output"]) == ("docker", False, True)
            calls.append(Call(arguments, options["input"], options["env"], options["timeout"]))
            return answer(arguments)

        monkeypatch.setattr(one_shot.subprocess, "run", run)
        return calls

    return answers


def said(out: str = "", err: str = "", code: int = 0) -> Answer:
    return lambda arguments: subprocess.CompletedProcess(arguments, code, out, err)


def test_what_the_container_prints_is_returned_and_it_is_gone_before_and_after(docker):
    calls = docker(said("a report\n"))
    assert one_shot.run(WANTED, SECRET) == "a report\n"
    # One of a killed `up` may still be at work.
    assert [call.arguments[:3] for call in calls] == [
        ["rm", "--force", "cortex-dev-restore"],
        ["run", "--name", "cortex-dev-restore"],
        ["rm", "--force", "cortex-dev-restore"],
    ]
    assert [call.limit_s for call in calls] == [one_shot.REMOVE_LIMIT_S, 600, one_shot.REMOVE_LIMIT_S]


def test_what_is_secret_is_only_read_from_standard_input(docker):
    calls = docker(said())
    one_shot.run(WANTED, SECRET)
    assert [call.given for call in calls] == ["", SECRET, ""]
    assert all(SECRET not in argument for call in calls for argument in call.arguments)


def test_the_container_is_hardened_and_told_apart_from_services(docker):
    calls = docker(said())
    one_shot.run(WANTED, SECRET)
    call = calls[1]
    assert {"--rm", "--interactive", "--read-only"} <= set(call.arguments)
    assert call.values("--user") == ["10001:10001"]
    assert call.values("--cap-drop") == ["ALL"]
    assert call.values("--security-opt") == ["no-new-privileges"]
    assert call.values("--log-driver") == ["none"]
    assert call.values("--memory") == call.values("--memory-swap") == ["1073741824"]
    assert call.values("--label") == ["cortex.stack=dev", "cortex.kind=writer"]
    assert call.values("--mount") == WANTED["mounts"]
    assert call.values("--env") == ["CORTEX_STACK=dev", "BACKUP_CONFIG=/dev/stdin"]
    # In place of the guard that the image begins with.
    assert call.values("--entrypoint") == ["python3"]
    assert call.arguments[-6:] == ["sha256:of-backup", "-m", "backup", "restore", "--to", "latest"]


@pytest.mark.parametrize(("network", "joined"), [("", "none"), ("cortex-dev-backup", "cortex-dev-backup")])
def test_it_has_no_network_but_the_one_to_the_backup(docker, network, joined):
    calls = docker(said())
    one_shot.run({**WANTED, "network": network}, SECRET)
    assert calls[1].values("--network") == [joined]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (said(err="  the backups were made with another key\n", code=65), "the backups were made with another key"),
        (said(out="half a report", code=137), "it ended with exit code 137"),
        (said(err="x" * 10_000 + "the end", code=1), "x" * (one_shot.TAIL_CHARACTERS - 7) + "the end"),
    ],
)
def test_a_failure_says_what_the_container_said_and_leaves_nothing_behind(docker, answer, message):
    calls = docker(answer)
    with pytest.raises(one_shot.OneShotError) as failed:
        one_shot.run(WANTED, SECRET)
    assert str(failed.value) == message
    assert calls[-1].arguments[0] == "rm"


def test_one_that_takes_too_long_is_ended(docker):
    def late(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if arguments[0] == "run":
            raise subprocess.TimeoutExpired("docker", 600, stderr=SECRET)
        return said()(arguments)

    calls = docker(late)
    with pytest.raises(one_shot.OneShotError, match=r"^restore took longer than 600 s, and was ended$") as failed:
        one_shot.run(WANTED, SECRET)
    assert failed.value.__cause__ is None
    assert [call.arguments[0] for call in calls] == ["rm", "run", "rm"]


def test_a_daemon_that_does_not_remove_in_time_hides_no_answer(docker):
    def stuck(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if arguments[0] == "rm":
            raise subprocess.TimeoutExpired("docker", one_shot.REMOVE_LIMIT_S)
        return said("done")(arguments)

    docker(stuck)
    assert one_shot.run(WANTED, SECRET) == "done"


def test_on_another_host_it_is_run_there(docker, monkeypatch):
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    calls = docker(said())
    # What is None does not come through the engine.
    for here in ({}, {"docker": None}):
        one_shot.run({**WANTED, **here}, SECRET)
    assert [call.environ for call in calls] == [None] * 6
    calls = docker(said())
    there = {"docker": "tcp://db1:2376", "ssh_options": [], "tls": {"ca.pem": "pem-of-ca"}}
    one_shot.run({**WANTED, "docker": there}, SECRET)
    assert len(calls) == 3
    for call in calls:
        assert call.environ["DOCKER_HOST"] == "tcp://db1:2376"
        assert "DOCKER_CONTEXT" not in call.environ
        # The keys are there no longer than the container.
        assert not Path(call.environ["DOCKER_CERT_PATH"]).exists()
