"""Chroma's own clients, unchanged, over TLS with a token; and what a limited token gets to see of a real Chroma."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import chromadb
import chromadb.errors
import httpx
import pytest
from chromadb.config import Settings

from infra.gateway import native
from infra.gateway.gateway import ClientServer, Guard, Replicas, Server
from infra.gateway.pattern import shape
from tests.gateway.chroma import Chroma
from tests.gateway.conftest import TOKENS
from tests.gateway.running import ADDRESS, INNER_CREDENTIAL, Running
from tests.gateway.waits import free_port

DATABASES = "/api/v2/tenants/tenant_b/databases"
VECTORS = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.9, 0.1, 0.0]]


@pytest.fixture(scope="module")
def real(haproxy, certificate, tmp_path_factory):
    """A gateway in front of a real Chroma with two tenants."""
    folder = tmp_path_factory.mktemp("clients")
    chroma = Chroma(folder / "chroma")
    topology = ClientServer(
        Replicas(ADDRESS, free_port(), slots=4, most=2), Server(ADDRESS, chroma.port, slots=4), Guard(ADDRESS, 9)
    )
    running = Running(folder / "gateway", topology, TOKENS, certificate)
    try:
        chroma.start()
        running.start()
        with running.client("admin-token") as client:
            for tenant, databases in (("tenant_a", ["db_a"]), ("tenant_b", ["db_b", "db_c"])):
                assert client.post("/api/v2/tenants", json={"name": tenant}).status_code == 200
                for name in databases:
                    made = client.post(f"/api/v2/tenants/{tenant}/databases", json={"name": name})
                    assert made.status_code == 200
        yield SimpleNamespace(running=running, chroma=chroma)
    finally:
        running.stop()
        chroma.stop()


@pytest.fixture
def connected(real, monkeypatch):
    """Makes a client with a token."""
    monkeypatch.setenv("SSL_CERT_FILE", str(real.running.certificate))

    def connect(token: str, **where: str):
        return chromadb.HttpClient(
            host=ADDRESS,
            port=real.running.gateway.doors.tls_port,
            ssl=True,
            headers={"x-chroma-token": token},
            settings=_settings(),
            **where,
        )

    return connect


def _settings() -> Settings:
    return Settings(anonymized_telemetry=False)


def test_the_client_creates_adds_queries_filters_and_deletes(connected):
    client = connected("write-token")
    notes = client.get_or_create_collection("notes", embedding_function=None)
    notes.add(ids=["a", "b", "c"], embeddings=VECTORS, documents=["one", "two", "three"], metadatas=[{"n": 1}] * 3)
    assert notes.count() == 3
    assert notes.query(query_embeddings=[VECTORS[0]], n_results=2)["ids"] == [["a", "c"]]
    notes.update(ids=["b"], metadatas=[{"n": 2}])
    assert notes.get(where={"n": 2})["ids"] == ["b"]
    assert notes.get(where_document={"$contains": "thr"})["ids"] == ["c"]
    notes.upsert(ids=["d"], embeddings=[VECTORS[1]])
    notes.delete(ids=["a", "d"])
    assert sorted(notes.get()["ids"]) == ["b", "c"]
    notes.modify(name="notes-2")
    assert {each.name for each in client.list_collections()} == {"notes-2"}
    client.delete_collection("notes-2")
    assert client.count_collections() == 0


def test_the_asynchronous_client_does_the_same(real, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(real.running.certificate))

    async def work() -> None:
        client = await chromadb.AsyncHttpClient(
            host=ADDRESS,
            port=real.running.gateway.doors.tls_port,
            ssl=True,
            headers={"Authorization": "Bearer write-token"},
            settings=_settings(),
        )
        notes = await client.create_collection("later", embedding_function=None)
        await notes.add(ids=["a", "b"], embeddings=VECTORS[:2])
        found = await notes.query(query_embeddings=[VECTORS[1]], n_results=1)
        assert found["ids"] == [["b"]]
        assert await notes.count() == 2
        await client.delete_collection("later")

    asyncio.run(work())


def test_a_reader_is_told_why_it_may_not_write(connected):
    connected("write-token").get_or_create_collection("read-only", embedding_function=None)
    client = connected("read-token")
    notes = client.get_collection("read-only", embedding_function=None)
    assert notes.query(query_embeddings=[VECTORS[0]], n_results=1)["ids"] == [[]]
    with pytest.raises(Exception, match="role"):
        notes.upsert(ids=["a"], embeddings=VECTORS[:1])
    with pytest.raises(Exception, match="role"):
        client.delete_collection("read-only")
    assert notes.count() == 0


@pytest.mark.parametrize("token", ["wrong-token", "expired-token"])
def test_without_a_valid_token_a_client_does_not_connect(connected, token):
    with pytest.raises(Exception, match="token"):
        connected(token)


def test_a_client_with_a_limited_token_works_in_its_database_and_no_other(connected):
    client = connected("one-database-token", tenant="tenant_b", database="db_b")
    mine = client.create_collection("mine", embedding_function=None)
    mine.upsert(ids=["a"], embeddings=VECTORS[:1])
    assert mine.query(query_embeddings=[VECTORS[0]], n_results=1)["ids"] == [["a"]]
    for tenant, database in (("tenant_b", "db_c"), ("tenant_a", "db_a"), ("default_tenant", "default_database")):
        with pytest.raises(Exception, match=r"limited|tenant"):
            connected("one-database-token", tenant=tenant, database=database).list_collections()
    client.delete_collection("mine")


def test_a_limited_token_does_not_reach_a_collection_by_its_id(real):
    """Chroma itself gives a collection to whoever knows its id, whatever database the path names."""
    running = real.running
    with running.client("admin-token") as owner, running.client("one-database-token") as limited:
        other = owner.post(
            "/api/v2/tenants/tenant_a/databases/db_a/collections", json={"name": "secret", "get_or_create": True}
        ).json()["id"]
        own = limited.post(f"{DATABASES}/db_b/collections", json={"name": "own", "get_or_create": True}).json()["id"]
        for _ in range(2):
            assert owner.get(f"{DATABASES}/db_b/collections/{other}/count").status_code == 200
            for identity in (other, other.upper()):
                path = f"{DATABASES}/db_b/collections/{identity}"
                for method, end, body in (
                    ("GET", "/count", None),
                    ("POST", "/get", {}),
                    ("POST", "/query", {"query_embeddings": [VECTORS[0]]}),
                    ("POST", "/upsert", {"ids": ["x"], "embeddings": [VECTORS[0]]}),
                    ("POST", "/delete", {"ids": ["x"]}),
                    ("PUT", "", {"new_name": "stolen"}),
                    ("POST", "/fork", {"new_name": "copied"}),
                ):
                    answer = limited.request(method, path + end, json=body)
                    assert answer.status_code == 404, (end, answer.text)
            assert limited.get(f"{DATABASES}/db_b/collections/{own}/count").status_code == 200
            assert limited.get(f"{DATABASES}/db_b/collections/{own.upper()}/count").status_code == 200
        assert owner.get(f"/api/v2/tenants/tenant_a/databases/db_a/collections/{other}/count").json() == 0
        names = owner.get("/api/v2/tenants/tenant_a/databases/db_a/collections").json()
        assert [each["name"] for each in names] == ["secret"]


def test_the_api_reaches_chroma_by_the_inner_door(real):
    client = chromadb.HttpClient(
        host=ADDRESS,
        port=real.running.gateway.doors.inner_port,
        headers={"x-chroma-token": INNER_CREDENTIAL},
        settings=_settings(),
    )
    notes = client.create_collection("inner", embedding_function=None)
    notes.add(ids=["a"], embeddings=VECTORS[:1])
    assert notes.count() == 1
    client.delete_collection("inner")


def test_every_endpoint_of_this_chroma_is_classed(real):
    """A new version must not bring an endpoint that nobody has looked at."""
    paths = httpx.get(f"{real.chroma.url}/openapi.json").json()["paths"]
    offered = {(method.upper(), shape(path)) for path, methods in paths.items() for method in methods}
    classed = {(each.method, shape(each.path)) for each in native.ENDPOINTS}
    assert classed == offered | {("GET", "/api/v2")}
