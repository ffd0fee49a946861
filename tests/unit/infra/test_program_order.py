"""The program as a whole: refused before the first resource, or everything with its outputs."""

from __future__ import annotations

import json

import pulumi
import pytest

from infra import program
from infra.feasibility import Host
from infra.platforms.docker import host as docker_host
from infra.settings.target import Target
from tests.unit.infra.pulumi_recorder import known, record

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


def test_a_wrong_certificate_is_told_together_with_all_else(configured, monkeypatch):
    configured(
        Host(memory_bytes=1, port_holders={"access.port": "container web"}),
        tls={"given": "hunter2, which is no PEM"},
    )
    monkeypatch.setattr(program, "origins", lambda _stack: {"tls.given": "Pulumi.dev.yaml:9"})
    registered = []
    monkeypatch.setattr(pulumi.Resource, "__init__", lambda *_args, **_options: registered.append(1))
    with pytest.raises(program.Refused, match=r"\(3 problems\); nothing was changed") as refused:
        program.run()
    assert registered == []
    said = str(refused.value)
    assert "cortex:corpus.vectors = 100000" in said
    assert "cortex:access.port = 8443" in said
    assert "cortex:tls.given  (Pulumi.dev.yaml:9)\n      is not PEM" in said
    assert "hunter2" not in said


@pytest.fixture
def exported(monkeypatch):
    """The stack's outputs, as they are declared."""
    outputs = {}
    monkeypatch.setattr(pulumi, "export", outputs.__setitem__)
    return outputs


S3 = {
    "target": "s3",
    "endpoint": "https://s3.example.com",
    "bucket": "b-1",
    "access_key_id": "id",
    "secret_access_key": "hunter2",
    "ca": "hunter2",
}
OUTPUTS = {
    *("url", "plain_url", "token", "tokens", "authority", "certificate_ends"),
    *("rights", "container", "volume", "image", "memory_limit_bytes", "backup"),
}


@pytest.mark.parametrize(("topology", "count", "server"), [("single-node", 43, "api"), ("client-server", 50, "chroma")])
def test_the_outputs_are_what_the_command_line_reads(configured, exported, topology, count, server):
    configured(topology=topology, corpus={"vectors": 10}, limits={"memory_mib": 4096}, registry={})
    recorder = record(program.run)
    assert len(recorder.registered) == count
    assert set(exported) == OUTPUTS
    assert exported["url"] == "https://127.0.0.1:8443"
    assert exported["plain_url"] is None
    assert exported["memory_limit_bytes"] == 4096 << 20
    assert known(exported["container"]) == f"cortex-dev-{server}"
    assert known(exported["volume"]) == "cortex-dev-store"
    assert known(exported["image"]) == f"sha256:of-{server}"
    assert known(exported["authority"]) == "certificate-of-authority-dev"
    assert known(exported["certificate_ends"]) == "2040-01-01T00:00:00+00:00"


def test_tokens_are_exported_by_name_with_their_newest_word_as_secrets(configured, exported):
    configured(
        tokens={
            "of-one": {"role": "admin", "reach": ["acme"]},
            "search": {"role": "read", "generations": [1, 4, 2]},
            "boss": {"role": "admin", "generations": [7]},
        },
        topology="client-server",
    )
    record(program.run)
    assert {name: known(value) for name, value in exported["tokens"].items()} == {
        "of-one": "word-of-token-of-one-1",
        "search": "word-of-token-search-2",  # the last of the list
        "boss": "word-of-token-boss-7",
    }
    assert exported["rights"]["of-one"] == {"role": "admin", "generations": [1], "expires": None, "reach": ["acme"]}
    # The one that may manage the stack: an admin's without limits.
    assert known(exported["token"]) == "word-of-token-boss-7"
    for value in (exported["token"], *exported["tokens"].values()):
        assert known(value, "is_secret")


@pytest.mark.parametrize(
    ("backup", "told"),
    [
        ({}, {"target": "volume", "bucket": None, "secret_access_key": None, "key": "word-of-backup-key-1"}),
        (
            {**S3, "encryption_key": "k" * 43},
            {"target": "s3", "bucket": "b-1", "access_key_id": "id", "secret_access_key": True, "key": "k" * 43},
        ),
    ],
    ids=["volume", "s3"],
)
def test_the_way_to_the_backups_is_exported_as_a_secret_without_what_opens_the_target(
    configured, exported, backup, told
):
    configured(backup=backup)
    record(program.run)
    shown = known(exported["backup"])
    assert known(exported["backup"], "is_secret")
    assert set(shown) == {*Target.model_fields, "package", "target", "key"}
    assert told.items() <= shown.items()
    assert "hunter2" not in json.dumps(shown)


def test_a_stack_without_backups_exports_nothing_of_them(configured, exported):
    configured(backup={"target": "none"})
    record(program.run)
    assert set(exported) == OUTPUTS - {"backup"}


def test_a_given_certificate_leaves_the_authority_out(configured, exported, monkeypatch):
    monkeypatch.setattr(program.feasibility.given_certificate, "check_given", lambda _pem, _now: [])
    configured(tls={"given": "a good one"}, access={"plain_port": 8080})
    recorder = record(program.run)
    assert (exported["authority"], exported["certificate_ends"]) == (None, None)
    assert exported["plain_url"] == "http://127.0.0.1:8080"
    assert not [urn for urn in recorder.registered if "Certificate" in urn]


def test_only_the_projects_own_configuration_counts(configured):
    configured(corpus={"vectors": 10}, platform="docker")
    assert program.raw_settings() == {"corpus": '{"vectors": 10}', "platform": "docker"}
