"""One real single-node stack for the whole session: own name, own port, own state; nothing of the user's is touched."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.deployment import Deployment, free_port
from tools.environment import environment

# Small, quick to judge, and big enough to be real: 2,000 vectors, a check every second.
SETTINGS = {
    "corpus": {"vectors": 2_000, "collections": 5, "document_bytes": 200, "updates_per_day": 0, "batch_rows": 200},
    # Tests kill more often than a store that is well may crash.
    "health": {"interval_s": 1, "timeout_s": 1, "retries": 2, "canary_interval_s": 10, "crashes": 1_000},
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
    """The shared stack, up and healthy. Tests may change it and leave it up and healthy again."""
    name = f"test-{secrets.token_hex(4)}"
    made = Deployment(name, tmp_path_factory.mktemp("stack"), base_environment)
    health = {**SETTINGS["health"], "port": free_port()}
    made.set({**SETTINGS, "health": health, "access": {"port": free_port()}})
    try:
        made.up()
        yield made
    finally:
        made.purge()
