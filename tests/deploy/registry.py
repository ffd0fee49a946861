"""A registry of the test's own, on loopback, that asks for a password."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from tests.deploy.deployment import free_port, wait_for
from tools.docker_engine import install

USER, PASSWORD = "ci", "registry-password-of-a-test"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Address of the registry; `folder` holds what is pushed."""
    if shutil.which("docker-registry") is None:
        install(["docker-registry"])
    if shutil.which("htpasswd") is None:
        install(["apache2-utils"])
    accounts = folder / "htpasswd"
    subprocess.run(["htpasswd", "-Bbc", str(accounts), USER, PASSWORD], check=True, capture_output=True)
    address = f"127.0.0.1:{free_port()}"
    config = folder / "registry.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "version": 0.1,
                "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
                "http": {"addr": address},
                "auth": {"htpasswd": {"realm": "test", "path": str(accounts)}},
            }
        )
    )
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        wait_for(lambda: _answers(address), f"the registry at {address}", 30)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/v2/", trust_env=False).status_code == 401
    except httpx.HTTPError:
        return False
