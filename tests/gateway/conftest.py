"""What the gateway's tests share: HAProxy on this machine, a certificate, tokens, and gateways in front of backends."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.gateway.gateway import ClientServer, Guard, Replicas, Server, SingleNode
from infra.gateway.tokens import GatewayToken, Reach, hashed
from infra.vocabulary import Role
from tests.gateway.backend import Backend, GuardBackend
from tests.gateway.running import ADDRESS, Running
from tools import docker_engine

SOON = datetime.now(UTC) + timedelta(days=1)
PAST = datetime.now(UTC) - timedelta(seconds=1)

TOKENS = (
    GatewayToken("reader", Role.READ, hashed("read-token")),
    GatewayToken("writer", Role.WRITE, hashed("write-token")),
    GatewayToken("owner", Role.ADMIN, hashed("admin-token"), SOON),
    GatewayToken("former", Role.ADMIN, hashed("expired-token"), PAST),
    GatewayToken("of-one", Role.ADMIN, hashed("one-database-token"), None, (Reach("tenant_b", "db_b"),)),
    GatewayToken("of-all", Role.ADMIN, hashed("one-tenant-token"), None, (Reach("tenant_b"),)),
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts real processes."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.process)


@pytest.fixture(scope="session")
def haproxy() -> None:
    """The distribution's HAProxy."""
    if shutil.which("haproxy") is None:
        if not docker_engine.installable():
            pytest.fail("these tests need haproxy 2.6 or newer: install the package of your distribution")
        docker_engine.install(["haproxy"])


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that signs itself, with its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def make_certificate(folder: Path) -> Path:
    """A new one."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(made), "-days", "30", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + key.read_text())
    return made


@pytest.fixture(scope="module")
def client_server(haproxy, certificate, tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A client-server gateway: `running`, and recording backends `api`, `chroma` and `guard`."""
    api, chroma, guard = Backend(), Backend(), GuardBackend()
    topology = ClientServer(
        Replicas(ADDRESS, api.port, slots=8, most=2), Server(ADDRESS, chroma.port, slots=4), Guard(ADDRESS, guard.port)
    )
    running = Running(tmp_path_factory.mktemp("client-server"), topology, TOKENS, certificate)
    yield from _started(running, api=api, chroma=chroma, guard=guard)


@pytest.fixture(scope="module")
def single_node(haproxy, certificate, tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A single-node gateway: `running`, and recording backends `api` and `guard`."""
    api, guard = Backend(), GuardBackend()
    topology = SingleNode(Server(ADDRESS, api.port, slots=4), Guard(ADDRESS, guard.port))
    running = Running(tmp_path_factory.mktemp("single-node"), topology, TOKENS, certificate)
    yield from _started(running, api=api, guard=guard)


def _started(running: Running, **backends: Backend) -> Iterator[SimpleNamespace]:
    try:
        running.start()
        yield SimpleNamespace(running=running, **backends)
    finally:
        running.stop()
        for backend in backends.values():
            backend.stop()
