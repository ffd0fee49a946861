"""A machine of its own for each test: empty cache and state, no tool on PATH, no vendor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from release_server import Server, serve

from tools.host import Host
from tools.locations import Locations, locations


@pytest.fixture
def host() -> Host:
    return Host("linux", "amd64")


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Locations:
    monkeypatch.setenv("CORTEX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CORTEX_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CORTEX_RELEASES_URL", "http://127.0.0.1:9")
    for name in ("PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    return locations()


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds what every system has, and one empty folder in front, which is returned."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, where: Locations) -> Iterator[Server]:
    with serve() as server:
        monkeypatch.setenv("CORTEX_RELEASES_URL", server.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
