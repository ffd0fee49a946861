"""A stock Chroma becomes a stack's data: from a directory, a volume, a running server."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from infra import names
from infra.topologies.backup import BACKUP
from ops.importing import Access, Outcome, run
from ops.stack import StackError
from tests.deploy import rows
from tests.deploy.conftest import SETTINGS
from tests.deploy.deployment import Deployment, free_port, free_ports, wait_for
from tests.deploy.test_backups import asked
from tools.locations import CHECKOUT

COLLECTION, ROWS, LARGE = "brought", 150, 4_000
MAKE = """
import os, sys, chromadb
client = chromadb.PersistentClient(sys.argv[1])
hnsw = {"space": sys.argv[3], "ef_search": 120, "sync_threshold": 20, "batch_size": 10}
made = client.create_collection(
    sys.argv[2], embedding_function=None, metadata={"about": "x"}, configuration={"hnsw": hnsw}
)
count = int(sys.argv[4])
for first in range(0, count, 10 if count < 1000 else 100):
    batch = range(first, min(first + (10 if count < 1000 else 100), count))
    made.add(ids=[f"row-{row}" for row in batch], documents=[f"text {row}" for row in batch],
             embeddings=[[float(row), 1.0, -float(row), row / 8] for row in batch],
             metadatas=[{"row": row} for row in batch])
os._exit(0)
"""
UNPACK = """
import os, sys, tarfile
tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall("/old")
for at, _, files in os.walk("/old"):
    os.chmod(at, 0o700)
    for file in files:
        os.chmod(os.path.join(at, file), 0o600)
"""
IMPORT = """
import json, sys
from rich.console import Console
from ops.importing import Access, run
from ops.stack import Stack
run(Stack(sys.argv[1], json.loads(sys.argv[2])), sys.argv[3], Access(), Console(stderr=True), force=True)
"""


def stock(folder: Path, name: str = COLLECTION, space: str = "l2", count: int = ROWS) -> Path:
    """A store as Chroma makes it, most of its log purged."""
    command = [sys.executable, "-c", MAKE, str(folder), name, space, str(count)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


def imported(deployment: Deployment, source: object, *, force: bool = False) -> Outcome:
    """Import it, and wait until the stack serves."""
    try:
        return run(deployment, str(source), Access(), Console(stderr=True), force=force)
    finally:
        deployment.wait_healthy()


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    """What is in the files, and when they were written."""
    return {
        str(file): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def fresh(base_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack without data, single-node."""
    made = Deployment(f"test-{secrets.token_hex(4)}", tmp_path_factory.mktemp("fresh"), base_environment)
    (tls,) = free_ports(1)
    made.set({**SETTINGS, "access": {"port": tls}, "backup": {"drill_schedule": "never"}})
    try:
        made.up()
        made.wait_healthy()
        yield made
    finally:
        made.purge()


@pytest.fixture
def held(fresh: Deployment, tmp_path: Path) -> dict[str, Any]:
    """What the stack holds, by id, whichever test has run before."""
    with fresh.client() as client:
        there = client.get(f"/v1/collections/{COLLECTION}").is_success
    if not there:
        imported(fresh, stock(tmp_path / "held"))
    with fresh.client() as client:
        return rows.read(client, COLLECTION)


@pytest.fixture
def volume(fresh: Deployment, tmp_path: Path) -> Iterator[str]:
    """A Docker volume with a store in it that nobody but root may read."""
    name, content = f"{fresh.name}-old", io.BytesIO()
    stock(tmp_path / "stock", count=40)
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(tmp_path / "stock", ".")
    image = fresh.inspect()["Image"]
    command = ["docker", "run", "--rm", "-i", "--user", "0", "--network", "none", "-v", f"{name}:/old"]
    fresh.docker(["volume", "create", name])
    try:
        subprocess.run(
            [*command, "--entrypoint", "python3", image, "-c", UNPACK],
            input=content.getvalue(),
            env=fresh.environment,
            check=True,
            capture_output=True,
            timeout=120,
        )
        yield name
    finally:
        fresh.docker(["volume", "rm", "--force", name])


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Chroma's own server on a store, as a process; its address."""
    port = free_port()
    chroma = Path(sys.executable).parent / "chroma"
    command = [sys.executable, str(chroma), "run", "--path", str(folder), "--port", str(port)]
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/api/v2/heartbeat", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(answers, "Chroma to answer", 60)
            yield url
        finally:
            running.terminate()


def test_a_directory_becomes_the_stacks_data_and_a_new_archive_begins(fresh: Deployment, tmp_path: Path) -> None:
    wait_for(lambda: len(asked(fresh, BACKUP, "list", "--json")["lineages"]) == 1, "the first lineage")
    source = stock(tmp_path / "stock")
    before = digests(source)
    done = imported(fresh, source)
    assert digests(source) == before
    assert (done.collections, done.records) == (1, ROWS)
    assert ROWS - 20 < done.compared <= ROWS, "the last rows are in the log, and in no index yet"
    with fresh.client() as client:
        assert rows.read(client, COLLECTION) == rows.wanted(ROWS)
        rows.write(client, COLLECTION, range(ROWS, ROWS + 5))
        assert rows.read(client, COLLECTION) == rows.wanted(ROWS + 5)
    wait_for(lambda: len(asked(fresh, BACKUP, "list", "--json")["lineages"]) == 2, "a second lineage")
    said = fresh.docker(
        ["exec", fresh.container(), "python3", "-m", "store", "verify", "/data", "--depth", "embeddings"]
    )
    assert "sound" in said
    base = asked(fresh, BACKUP, "now", "--json", "--wait-s", "60")
    assert next(each for each in base["collections"] if each["name"] == COLLECTION)["records"] == ROWS + 5


def test_a_stack_with_data_is_refused_without_a_pause(fresh: Deployment, held: dict[str, Any], volume: str) -> None:
    started = fresh.inspect()["State"]["StartedAt"]
    with pytest.raises(StackError, match=rf"1 collections with {len(held):,} records.*--force") as refused:
        run(fresh, f"volume:{volume}", Access(), Console(stderr=True))
    assert refused.value.code == 65
    assert fresh.inspect()["State"]["StartedAt"] == started


def test_a_volume_that_is_used_is_refused_and_one_of_root_comes_in_place_of_data(
    fresh: Deployment, held: dict[str, Any], volume: str
) -> None:
    image, user = fresh.inspect()["Image"], f"{fresh.name}-user"
    sleeping = ["--entrypoint", "python3", image, "-c", "import time; time.sleep(600)"]
    fresh.docker(["run", "--detach", "--name", user, "--network", "none", "-v", f"{volume}:/old", *sleeping])
    try:
        with pytest.raises(StackError, match=f"used by {user}"):
            run(fresh, f"volume:{volume}", Access(), Console(stderr=True), force=True)
    finally:
        fresh.docker(["rm", "--force", user])
    done = imported(fresh, f"volume:{volume}", force=True)
    assert done.records == 40
    with fresh.client() as client:
        assert rows.read(client, COLLECTION) == rows.wanted(40)
    aside = fresh.docker(["exec", fresh.container(), "python3", "-m", "store", "inspect", done.moved_aside, "--json"])
    assert json.loads(aside)["vectors"] >= len(held)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.full), signal.SIGKILL])
def test_ended_midway_the_data_is_there_and_the_next_import_succeeds(
    fresh: Deployment, held: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    source = stock(tmp_path / "stock", count=LARGE)  # so that it takes longer than it takes to be ended
    writer = names.on_host(fresh.name, "import")
    command = [sys.executable, "-c", IMPORT, fresh.name, json.dumps(fresh.environment), str(source)]
    with subprocess.Popen(command, cwd=CHECKOUT, env={**os.environ}, stderr=subprocess.DEVNULL) as importing:
        running = ["ps", "--quiet", "--filter", f"name=^{writer}$"]
        wait_for(lambda: fresh.docker(running) or importing.poll() is not None, "the import to begin", 60)
        importing.send_signal(number)
        importing.wait(120)
    assert importing.returncode != 0
    if number is signal.SIGKILL:
        fresh.docker(["rm", "--force", writer])
        fresh.start_stopped()
    fresh.wait_healthy()
    with fresh.client() as client:
        assert rows.read(client, COLLECTION) == held
    assert imported(fresh, source, force=True).records == LARGE
    with fresh.client() as client:
        assert rows.read(client, COLLECTION) == rows.wanted(LARGE)
    left = fresh.docker(["exec", fresh.container(), "ls", "--almost-all", "/data", "/data/.cortex"])
    assert "importing" not in left
    assert ".partial" not in left


def test_a_running_server_is_imported_by_v1(fresh: Deployment, tmp_path: Path) -> None:
    with server(stock(tmp_path / "stock", name="asked-for", space="cosine")) as url:
        done = imported(fresh, url)
        assert (done.collections, done.records, done.compared) == (1, ROWS, ROWS)
        with pytest.raises(StackError, match="'asked-for' is in the stack already"):
            imported(fresh, url)
    with fresh.client() as client:
        assert rows.read(client, "asked-for") == rows.wanted(ROWS)
        assert client.get("/v1/collections/asked-for").json()["space"] == "cosine"


@pytest.mark.full
def test_without_backups_a_directory_is_imported_too(fresh: Deployment, tmp_path: Path) -> None:
    fresh.set({"backup": {"target": "none"}})
    fresh.up()
    fresh.wait_healthy()
    assert imported(fresh, stock(tmp_path / "stock", count=30), force=True).records == 30
    with fresh.client() as client:
        assert rows.read(client, COLLECTION) == rows.wanted(30)


def test_a_running_server_is_imported_by_chromas_own_interface(client_server: Deployment, tmp_path: Path) -> None:
    source = stock(tmp_path / "stock", name="native")
    try:
        with server(source) as url:
            done = imported(client_server, url)
        assert (done.collections, done.records, done.compared, done.rounded) == (1, ROWS, ROWS, 0)
        with client_server.client() as client:
            assert rows.read(client, "native") == rows.wanted(ROWS)
            base = "/api/v2/tenants/default_tenant/databases/default_database/collections/native"
            made = client.get(base).json()
            assert made["metadata"] == {"about": "x"}
            assert made["configuration_json"]["hnsw"]["ef_search"] == 120
    finally:
        with client_server.client() as client:
            client.delete("/v1/collections/native")
