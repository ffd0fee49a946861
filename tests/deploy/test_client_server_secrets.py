"""The secrets of a client-server stack: nowhere to be seen, and each part holds only its own."""

from __future__ import annotations

import pytest

from infra.topologies.backup import BACKUP, DRILL
from infra.topologies.parts import API, CHROMA, GATEWAY
from tests.deploy.deployment import Deployment
from tests.deploy.planned import placed
from tests.deploy.secret_words import secrets_of, shown_in
from tests.deploy.test_single_node_secrets import (
    CREDENTIAL,
    test_images_hold_no_secret,
    test_nobody_outside_can_speak_as_the_gateway,
    test_secrets_are_nowhere_in_the_open,
)

__all__ = [
    "test_images_hold_no_secret",
    "test_nobody_outside_can_speak_as_the_gateway",
    "test_secrets_are_nowhere_in_the_open",
]
FOLDERS = {**dict.fromkeys((API, BACKUP, DRILL), "/run/cortex/secrets"), GATEWAY: "/run/cortex/gateway"}
FILES = {
    API: {"inner-credential", "chroma-token"},
    GATEWAY: {"tokens.map", "reaches.map", "inner-credential.map", "inner-hashes.map", "certificate.pem"}
    | {"haproxy.cfg", "endpoints.map", "methods.map", "collections.lua"},
    **{part: {"backup.json"} for part in (BACKUP, DRILL)},
}


@pytest.fixture
def deployment(client_server: Deployment) -> Deployment:
    """The stack that the tests of single-node look at here."""
    return client_server


def test_files_are_readable_by_the_servers_group_only(deployment: Deployment) -> None:
    for name, container in placed(deployment).items():
        if container.name == CHROMA:
            continue
        host, folder = deployment.host("root", name), FOLDERS[container.name]
        listed = host.check_output(f"cd {folder} && stat -c '%n %u %g %a' *").splitlines()
        assert {line.split()[0] for line in listed} == FILES[container.name], name
        assert {tuple(line.split()[1:]) for line in listed} == {("0", "10001", "440")}, name
        assert host.file(folder).mode & 0o007 == 0, name


def test_each_part_holds_only_what_it_needs(deployment: Deployment) -> None:
    """What the gateway keeps of a token opens nothing; Chroma needs no secret at all.

    Who makes bases holds what a rebuilt stack must have again; a drill opens them, and holds no more than that takes.
    """
    secrets = secrets_of(deployment)
    held = {
        name: deployment.host("root", name).check_output(f"cat {FOLDERS[container.name]}/*")
        for name, container in placed(deployment).items()
        if container.name != CHROMA
    }
    gateway, archiver, drill = (deployment.container(part) for part in (GATEWAY, BACKUP, DRILL))
    carried = {name for name in secrets if name.startswith("token-")} | {"backup-key-1", "key of the authority"}
    assert shown_in(secrets, held) == {
        *((CREDENTIAL, name) for name in set(held) - {archiver, drill}),
        ("key of the certificate", gateway),
        *((name, archiver) for name in carried),
        ("backup-key-1", drill),
    }
    assert deployment.host("root", CHROMA).run("ls /run/cortex").rc != 0
