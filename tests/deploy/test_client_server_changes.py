"""What changes do to a client-server stack: the store stays, whoever serves goes on serving."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from infra.topologies.parts import CHROMA
from tests.deploy.deployment import Deployment, wait_for
from tests.deploy.planned import placed
from tests.deploy.release import released
from tests.deploy.rows import DIMENSIONS, read, vector, wanted, write

NATIVE = "/api/v2/tenants/default_tenant/databases/default_database/collections"


def test_second_preview_is_empty_also_after_refresh(client_server: Deployment) -> None:
    assert client_server.preview_is_empty()
    client_server.run("refresh", "--yes", "--skip-preview")
    assert client_server.preview_is_empty()


def files_of_store(deployment: Deployment) -> str:
    """The store's folder and database, by the numbers that no other file on the volume's disk has."""
    return str(deployment.host().check_output("stat -c '%d %i' /data /data/chroma.sqlite3"))


def test_the_topology_changes_and_the_store_stays(client_server: Deployment) -> None:
    name, tokens = f"moved-{secrets.token_hex(4)}", client_server.settings["tokens"]
    before = files_of_store(client_server)
    with client_server.client() as client:
        body = {"name": name, "embedding": "own", "dimensions": DIMENSIONS}
        client.post("/v1/collections", json=body).raise_for_status()
        write(client, name, range(20))
    try:
        # The limited ones have nothing to be limited to there.
        unlimited = {key: token for key, token in tokens.items() if "reach" not in token}
        client_server.set({"topology": "single-node", "tokens": unlimited})
        client_server.up()
        client_server.wait_healthy()
        placed(client_server)  # what is planned, and nothing else
        with client_server.client() as client:
            assert client.get("/api/v2/heartbeat").status_code == 501
            assert read(client, name) == wanted(20)
            write(client, name, range(20, 40))
    finally:
        client_server.set({"topology": "client-server", "tokens": tokens})
        client_server.up()
    client_server.wait_healthy()
    placed(client_server)
    assert files_of_store(client_server) == before
    with client_server.client() as client:
        assert read(client, name) == wanted(40)
        # Chroma itself has them too, and finds them.
        (identity,) = [each["id"] for each in client.get(NATIVE).json() if each["name"] == name]
        assert client.get(f"{NATIVE}/{identity}/count").text == "40"
        query = {"query_embeddings": [vector(33)], "n_results": 1, "include": ["documents"]}
        found = client.post(f"{NATIVE}/{identity}/query", json=query).json()
        assert (found["ids"], found["documents"]) == ([["row-33"]], [["text 33"]])
        client.delete(f"/v1/collections/{name}").raise_for_status()
    assert client_server.preview_is_empty()


def test_a_full_disk_stops_writes_and_leaves_reads(client_server: Deployment) -> None:
    """A stand-in for Chroma's container whose guard calls the disk full."""
    original = client_server.inspect(CHROMA)
    stand_in = f"cortex-{client_server.name}-stand-in"
    with client_server.client() as client:
        body = {"name": "full", "embedding": "own", "dimensions": DIMENSIONS}
        client.post("/v1/collections", json=body).raise_for_status()
        write(client, "full", range(3))
        (identity,) = [each["id"] for each in client.get(NATIVE).json() if each["name"] == "full"]
        upsert = {"ids": ["row-0"], "embeddings": [vector(0)]}

        def closed() -> bool:
            return client.post(f"{NATIVE}/{identity}/upsert", json=upsert).status_code == 507

        assert not closed()
        client_server.docker(["stop", original["Name"].removeprefix("/")])
        try:
            run_as(
                client_server, original, stand_in, {"HEALTH_DISK_STOP_PERCENT": "1", "HEALTH_HYSTERESIS_POINTS": "0"}
            )
            wait_for(closed, "writes to be refused", 60)
            refused = client.post("/v1/collections/full/documents", json={"documents": [{"id": "x", "text": "y"}]})
            assert (refused.status_code, refused.json()["type"]) == (507, "urn:cortex:problem:store-not-writable")
            assert int(refused.headers["retry-after"]) > 0
            assert read(client, "full") == wanted(3)
            assert client.get(f"{NATIVE}/{identity}/count").text == "3"
            query = {"query_embeddings": [vector(2)], "n_results": 1}
            assert client.post(f"{NATIVE}/{identity}/query", json=query).json()["ids"] == [["row-2"]]
        finally:
            client_server.docker(["rm", "--force", stand_in])
            client_server.start_stopped()
        client_server.wait_healthy()
        wait_for(lambda: not closed(), "writes to pass again", 30)
        client.delete("/v1/collections/full").raise_for_status()


def run_as(deployment: Deployment, inspected: dict[str, Any], name: str, environment: dict[str, str]) -> None:
    """Run a container like another one of the stack, in its place, with other variables."""
    variables = [item for pair in inspected["Config"]["Env"] for item in ("--env", pair)]
    changed = [item for key, value in environment.items() for item in ("--env", f"{key}={value}")]
    (network,) = inspected["NetworkSettings"]["Networks"]
    mounts = [item for each in inspected["Mounts"] for item in ("--volume", f"{each['Name']}:{each['Destination']}")]
    deployment.docker(
        [
            *("run", "--detach", "--name", name, "--network", network, "--network-alias", CHROMA),
            *("--read-only", "--tmpfs", "/tmp", "--user", inspected["Config"]["User"]),
            *(*variables, *changed, *mounts, inspected["Image"]),
        ]
    )


@pytest.mark.full
@pytest.mark.timeout(600)
def test_replicas_that_never_get_well_do_not_take_the_old_ones_away(client_server: Deployment, tmp_path: Path) -> None:
    """A release whose API starts and never says that it is well."""
    client_server.wait_healthy()
    before = [client_server.inspect(part)["Id"] for part in ("api-1", "api-2")]
    parts = len(client_server.parts())
    ill = "\n\ndef judged(runtime: Runtime) -> tuple[int, dict[str, Any]]:\n    return 503, {}\n"
    with released(client_server, tmp_path / "ill", {"images/api/src/cortex_api/health.py": ill}):
        done = client_server.run("up", "--yes", "--skip-preview", check=False)
    assert done.returncode != 0
    assert "healthy" in done.stdout + done.stderr
    there = {client_server.inspect(part)["Id"] for part in client_server.parts()}
    assert set(before) <= there
    assert len(there) == parts + 1, "the first new one was tried, the others were not begun"
    with client_server.client() as client:
        for _ in range(20):
            assert client.get("/v1/collections").status_code == 200
    # The next release that is well puts everything in order.
    client_server.up()
    client_server.wait_healthy()
    placed(client_server)
    assert client_server.preview_is_empty()
