"""A restart of the Docker daemon: all comes back by itself, with its data. On a daemon of the test's own."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.conftest import SETTINGS
from tests.deploy.deployment import Deployment, free_port, wait_for
from tests.deploy.private_daemon import PrivateDaemon, private_daemon


@pytest.fixture
def daemon() -> Iterator[PrivateDaemon]:
    # A short path: a socket's name may have 108 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="cortex-daemon-"))
    with private_daemon(folder) as running:
        yield running
    shutil.rmtree(folder, ignore_errors=True)


def test_data_and_containers_survive_a_daemon_restart(
    daemon: PrivateDaemon, base_environment: dict[str, str], tmp_path: Path
) -> None:
    environment = {**base_environment, "DOCKER_HOST": daemon.address}
    stack = Deployment(f"test-{secrets.token_hex(4)}", tmp_path, environment)
    stack.set({**SETTINGS, "access": {"port": free_port()}})
    stack.up()
    try:
        with stack.client() as client:
            assert client.post("/v1/collections", json={"name": "kept"}).is_success
            body = {"documents": [{"id": "a", "text": "still here after the restart"}]}
            assert client.post("/v1/collections/kept/documents", json=body).is_success
        parts = stack.parts()
        started = {part: stack.inspect(part)["State"]["StartedAt"] for part in parts}

        daemon.stop()
        daemon.start()

        for part in parts:
            wait_for(
                lambda part=part: stack.inspect(part)["State"]["StartedAt"] > started[part],
                f"the daemon to start {part} again",
                60,
            )
        stack.wait_healthy()
        with stack.client() as client:
            assert client.get("/v1/collections/kept/count").json()["count"] == 1
        assert stack.preview_is_empty()
    finally:
        stack.purge()
