"""The program as a whole: refused before the first resource, or everything with its outputs."""

from __future__ import annotations

import json

import pulumi
import pytest

from infra import program
from infra.feasibility import Host
from infra.platforms.docker import host as docker_host
from tests.unit.infra.pulumi_recorder import record

ROOMY = Host(memory_bytes=1 << 50, free_disk_bytes=1 << 50, open_files_hard_limit=1 << 20)


@pytest.fixture
def configured(monkeypatch):
    """Configuration as Pulumi hands it over, on a host that has room unless it is said otherwise."""

    def configure(host: Host = ROOMY, **raw: object) -> None:
        values = {f"cortex:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()}
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"aws:region": "eu", **values}))
        monkeypatch.setattr(docker_host, "look", lambda _stack, _address, _port: host)

    return configure


def test_wrong_settings_are_refused_before_the_first_resource(configured):
    configured(corpus={"vectors": 0}, platfrom="docker")
    made = []
    with pytest.raises(program.Refused, match=r"\(2 problems\); nothing was changed"):
        made.append(record(program.run))
    assert made == []


def test_a_host_that_is_too_small_is_refused_before_the_first_resource(configured, monkeypatch):
    configured(Host(memory_bytes=1, port_holders={"access.port": "container web"}), access={"port": 9000})
    monkeypatch.setattr(program, "origins", lambda _stack: {"access.port": "Pulumi.dev.yaml:7"})
    registered = []
    monkeypatch.setattr(pulumi.Resource, "__init__", lambda *_args, **_options: registered.append(1))
    with pytest.raises(program.Refused) as refused:
        program.run()
    assert registered == []
    assert "cortex:corpus.vectors = 100000" in str(refused.value)
    assert "cortex:access.port = 9000  (Pulumi.dev.yaml:7)" in str(refused.value)


def test_no_daemon_is_one_clear_message(configured, monkeypatch):
    configured()

    def silent(*_arguments: object) -> Host:
        raise docker_host.NoDaemonError("no Docker daemon answers at its default socket; start it")

    monkeypatch.setattr(docker_host, "look", silent)
    with pytest.raises(program.Refused, match=r"^no Docker daemon answers"):
        program.run()


def test_the_outputs_are_what_the_command_line_reads(configured, monkeypatch):
    configured(corpus={"vectors": 10}, limits={"memory_mib": 4096}, registry={})
    exported = {}
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    recorder = record(program.run)
    assert len(recorder.registered) == 15
    assert set(exported) == {"url", "token", "container", "volume", "image", "memory_limit_bytes"}
    assert exported["url"] == "http://127.0.0.1:8080"
    assert exported["memory_limit_bytes"] == 4096 << 20


def test_only_the_projects_own_configuration_counts(configured):
    configured(corpus={"vectors": 10}, platform="docker")
    assert program.raw_settings() == {"corpus": '{"vectors": 10}', "platform": "docker"}
