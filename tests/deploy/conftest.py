"""One real stack of each topology for the whole session: own names, ports, state; nothing of the user's is touched."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.deployment import Deployment, free_ports
from tools.environment import environment

# Small, quick to judge, and big enough to be real: 2,000 vectors, a check every second.
SETTINGS: dict[str, Any] = {
    "corpus": {"vectors": 2_000, "collections": 5, "document_bytes": 200, "updates_per_day": 0, "batch_rows": 200},
    # Tests kill more often than a store that is well may crash.
    "health": {"interval_s": 1, "timeout_s": 1, "retries": 2, "canary_interval_s": 10, "crashes": 1_000},
    "tokens": {
        "admin": {"role": "admin"},
        "writer": {"role": "write"},
        "reader": {"role": "read", "expires": "2099-12-31T00:00:00Z"},
        "former": {"role": "admin", "expires": "2020-12-31T00:00:00Z"},
    },
}

# With what only client-server has a use for: limits.
TOKENS = {
    **SETTINGS["tokens"],
    "of-database": {"role": "admin", "reach": ["tenant_b/db_b"]},
    "of-tenant": {"role": "admin", "reach": ["tenant_b"]},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a Docker daemon."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def base_environment() -> dict[str, str]:
    """What a Pulumi process needs on this machine."""
    return environment()


@pytest.fixture(scope="session")
def deployment(base_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The shared single-node stack, up and healthy. Tests may change it and leave it up and healthy again."""
    with _shared({}, tmp_path_factory.mktemp("single-node"), base_environment) as made:
        yield made


@pytest.fixture(scope="session")
def client_server(base_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The shared client-server stack, up and healthy. Tests may change it and leave it up and healthy again."""
    settings = {"topology": "client-server", "tokens": TOKENS}
    with _shared(settings, tmp_path_factory.mktemp("client-server"), base_environment) as made:
        yield made


@contextmanager
def _shared(settings: Mapping[str, Any], folder: Path, base_environment: dict[str, str]) -> Iterator[Deployment]:
    """A stack with every port published."""
    made = Deployment(f"test-{secrets.token_hex(4)}", folder, base_environment)
    tls, plain, metrics = free_ports(3)
    health = {**SETTINGS["health"], "port": metrics}
    made.set({**SETTINGS, "health": health, "access": {"port": tls, "plain_port": plain}, **settings})
    try:
        made.up()
        yield made
    finally:
        made.purge()
