"""A Docker daemon over TCP with TLS: looked at, and used by Pulumi's provider."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from infra.certificates import make_authority, sign_server
from infra.docker_endpoint import Endpoint
from infra.platforms.docker.host import NoDaemonError, look
from infra.settings import StoreHost
from tests.deploy.deployment import free_port
from tests.deploy.private_daemon import private_daemon

KEYS = ("ca", "client_certificate", "client_key")
PROGRAM = """
import os
import pulumi
import pulumi_docker
from infra.platforms.docker import providers
from infra.settings import StoreHost
host = StoreHost.model_validate_json(os.environ["HOST_OF_THE_TEST"])
provider = providers.far(host, None, pulumi.ResourceOptions())
pulumi_docker.Volume("store", name="cortex-over-tcp", opts=pulumi.ResourceOptions(provider=provider))
"""


@pytest.fixture(scope="module")
def over_tcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A daemon that asks for a certificate; `host` names it as the settings do, `made` signs another one."""
    folder = tmp_path_factory.mktemp("tcp")
    authority = make_authority("of a test", datetime.now(UTC))
    (folder / "ca.pem").write_text(authority.certificate)
    shown = sign_server(authority, ["127.0.0.1"], 2, datetime.now(UTC)).bundle
    (folder / "daemon.pem").write_text(shown)
    client = client_certificate(folder, authority)
    port = free_port()
    options = [
        f"--host=tcp://127.0.0.1:{port}",
        *(
            "--tlsverify",
            f"--tlscacert={folder}/ca.pem",
            f"--tlscert={folder}/daemon.pem",
            f"--tlskey={folder}/daemon.pem",
        ),
    ]
    with private_daemon(folder, *options):
        host = StoreHost(
            docker=f"tcp://127.0.0.1:{port}",
            address="10.0.0.5",
            ca=SecretStr(authority.certificate),
            client_certificate=SecretStr(client[0]),
            client_key=SecretStr(client[1]),
        )
        yield SimpleNamespace(host=host, folder=folder)


def client_certificate(folder: Path, authority) -> tuple[str, str]:
    """A certificate that a client may show, and its key."""
    (folder / "ca-key.pem").write_text(authority.key)
    extensions = folder / "client.ext"
    extensions.write_text("extendedKeyUsage = clientAuth\n")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "client.csr", "-subj", "/CN=client")
    openssl(
        *("x509", "-req", "-in", "client.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial"),
        *("-out", "cert.pem", "-days", "2", "-extfile", "client.ext"),
    )
    return (folder / "cert.pem").read_text(), (folder / "key.pem").read_text()


def test_it_is_looked_at(over_tcp: SimpleNamespace) -> None:
    found = look("nobody", "127.0.0.1", {"store_host.port": free_port()}, Endpoint.of(over_tcp.host))
    assert found.memory_bytes
    assert (found.has_store, found.containers, found.port_holders) == (False, frozenset(), {})


def test_without_the_right_keys_it_is_refused(over_tcp: SimpleNamespace) -> None:
    other = make_authority("of nobody", datetime.now(UTC)).certificate
    wrong = over_tcp.host.model_copy(update={"ca": SecretStr(other)})
    with pytest.raises(
        NoDaemonError, match=r"no Docker daemon answers at tcp://127.0.0.1:\d+ \(cortex:store_host.docker"
    ):
        look("nobody", "127.0.0.1", {}, Endpoint.of(wrong))


def test_pulumi_makes_things_there(over_tcp: SimpleNamespace, base_environment: dict[str, str]) -> None:
    folder = over_tcp.folder / "program"
    (folder / "state").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: cortex\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    keys = {name: getattr(over_tcp.host, name).get_secret_value() for name in KEYS}
    host = {"docker": over_tcp.host.docker, "address": over_tcp.host.address, **keys}
    environment = {
        **base_environment,
        "PULUMI_BACKEND_URL": f"file://{folder}/state",
        "PULUMI_CONFIG_PASSPHRASE": "for tests only",
        "HOST_OF_THE_TEST": json.dumps(host),
    }
    environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def pulumi(*arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pulumi("stack", "init", "dev")
    pulumi("up", "--yes", "--skip-preview")
    with Endpoint.of(over_tcp.host).environment() as environ:
        command = ["docker", "volume", "ls", "--quiet"]
        volumes = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert "cortex-over-tcp" in volumes.stdout.split()
    pulumi("preview", "--expect-no-changes")
    assert "PRIVATE KEY" not in pulumi("stack", "export")
    pulumi("destroy", "--yes", "--skip-preview")
