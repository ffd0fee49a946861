"""Chroma behind the door of another host: what the door lets through, whom the gateway trusts, and what rotates."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from infra.certificates import Authority
from infra.gateway import native
from infra.gateway.base import GUARD_ENDPOINTS
from infra.gateway.limits import Patience
from tests.gateway.backend import Answer, Backend, GuardBackend
from tests.gateway.far import NAME, an_authority, door_of, gateway_of, signed
from tests.gateway.running import ADDRESS, INNER_CREDENTIAL, Running
from tests.gateway.test_gateway_roles import _call, _named
from tests.gateway.waits import wait_until

# What is wrong with the way is told after this long.
PATIENCE = Patience(queue_s=2, restart_s=1)


@pytest.fixture(scope="module")
def hosts(haproxy, certificate, tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A gateway and a store door with recording backends `api`, `chroma` and `guard`."""
    folder = tmp_path_factory.mktemp("far")
    authority = an_authority()
    api, chroma, guard = Backend(), Backend(), GuardBackend()
    door = door_of(folder / "door", signed(authority, folder), chroma.port, guard.port, patience=PATIENCE)
    running = gateway_of(folder / "gateway", certificate, door, authority.certificate, api.port, patience=PATIENCE)
    try:
        door.start()
        running.start()
        yield SimpleNamespace(
            running=running, door=door, authority=authority, folder=folder, api=api, chroma=chroma, guard=guard
        )
    finally:
        running.stop()
        door.stop()
        for each in (api, chroma, guard):
            each.stop()


def asking(door: Running, authority: Authority, credential: str | None = INNER_CREDENTIAL) -> httpx.Client:
    """A client of the door itself."""
    context = ssl.create_default_context(cadata=authority.certificate)
    headers = {"x-chroma-token": credential} if credential else {}
    return httpx.Client(base_url=door.url, verify=context, headers=headers, timeout=30)


def test_a_caller_reaches_chroma_and_the_token_goes_no_further(hosts):
    hosts.chroma.forget()
    with hosts.running.client("read-token") as client:
        answer = client.get("/api/v2/heartbeat", headers={"x-request-id": "of-a-caller"})
    assert answer.status_code == 200
    (arrived,) = hosts.chroma.arrived
    assert arrived.header("x-chroma-token") is None
    assert arrived.header("x-request-id") == "of-a-caller" == answer.headers["x-request-id"]
    assert not {name for name, _ in arrived.headers if name.startswith("x-cortex")}


def test_every_endpoint_of_chroma_passes_and_nothing_else(hosts):
    with asking(hosts.door, hosts.authority) as client:
        for endpoint in native.ENDPOINTS:
            if endpoint.target.value != "chroma":
                continue
            hosts.chroma.forget()
            assert _call(client, endpoint).status_code == 200, _named(endpoint)
            assert len(hosts.chroma.arrived) == 1
        hosts.chroma.forget()
        for path in ("/", "/v1/status", "/docs", "/healthz", "/metrics", "/api/v1/heartbeat", "/api/v2/collections/x"):
            assert client.get(path).status_code == 404, path
        assert client.get("/api/v2//heartbeat").status_code == 404
        assert client.post("/guard/readyz").status_code == 404
        assert hosts.chroma.arrived == []


@pytest.mark.parametrize("credential", [None, "", "wrong", "admin-token"])
def test_without_the_credential_nothing_is_told(hosts, credential):
    hosts.chroma.forget()
    hosts.guard.forget()
    with asking(hosts.door, hosts.authority, credential) as client:
        for path in ("/api/v2/heartbeat", "/guard/metrics", "/guard/readyz", "/", "/healthz"):
            answer = client.get(path)
            assert answer.status_code == 401, path
            assert answer.json()["type"] == "urn:cortex:problem:credential-needed"
    assert hosts.chroma.arrived == []
    assert not [each for each in hosts.guard.arrived if each.path not in {"/readyz", "/writable"}]


def test_the_door_speaks_tls_1_3_only(hosts):
    with pytest.raises(httpx.HTTPError):
        httpx.get(hosts.door.url.replace("https", "http"), timeout=5)
    old = ssl.create_default_context(cadata=hosts.authority.certificate)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError), httpx.Client(verify=old) as client:
        client.get(f"{hosts.door.url}/guard/readyz")


def test_the_guard_is_asked_through_the_door(hosts):
    text = httpx.get(f"{hosts.running.metrics_url}/guard/readyz")
    assert text.status_code == 200
    for endpoint in GUARD_ENDPOINTS:
        hosts.guard.forget()
        httpx.get(f"{hosts.running.metrics_url}/guard/{endpoint}")
        (told, *_) = [each for each in hosts.guard.arrived if each.path == f"/{endpoint}"]
        assert told.header("x-chroma-token") is None
    assert httpx.get(f"{hosts.running.metrics_url}/guard/other").status_code == 404


def test_checks_are_not_logged_and_strangers_are(hosts):
    with asking(hosts.door, hosts.authority, "wrong") as client:
        client.get("/api/v2/heartbeat", headers={"x-request-id": "of-a-stranger"})
    assert hosts.door.line(request_id="of-a-stranger")["status"] == 401
    assert not [line for line in hosts.door.lines() if line["path"].startswith("/guard") and line["status"] == 200]


def test_what_the_guard_says_reaches_callers(hosts):
    with hosts.running.client("admin-token") as client:
        wait_until(lambda: client.get("/healthz").status_code == 200, "the gateway to be healthy", 10)
        hosts.guard.answer = lambda request: Answer(
            507 if request.path == "/writable" else 503, headers=(("Retry-After", "17"),)
        )
        try:
            wait_until(lambda: client.post("/v1/collections", json={}).status_code == 507, "the store to be closed", 10)
            assert client.post("/v1/collections", json={}).headers["retry-after"] == "17"
            wait_until(lambda: client.get("/healthz").status_code == 503, "the gateway to know", 10)
        finally:
            hosts.guard.answer = hosts.guard._judged
        wait_until(lambda: client.post("/v1/collections", json={}).status_code == 200, "the store to be open", 10)


def test_the_credential_is_in_no_configuration(hosts):
    for each in (hosts.running, hosts.door):
        assert INNER_CREDENTIAL not in Path(each.gateway.folder, "haproxy.cfg").read_text()
    assert INNER_CREDENTIAL not in Path(hosts.door.gateway.folder, "inner-hashes.map").read_text()
    assert INNER_CREDENTIAL not in hosts.running.log.read_text() + hosts.door.log.read_text()


def test_a_credential_is_replaced_without_a_moment_without_one(hosts):
    """Both are accepted, then the new one is shown, then the old one is no longer accepted: as three times `up`."""
    steps = ((["old"], ["old"]), (["old", "new"], ["old", "new"]), (["new", "old"], ["new", "old"]), (["new"], ["new"]))
    try:
        with hosts.running.client("read-token") as client:
            for at_the_door, at_the_gateway in steps:
                # The door's host first, as the worse order where the former is dropped, and the better where one comes.
                for running, credentials in ((hosts.door, at_the_door), (hosts.running, at_the_gateway)):
                    running.credentials = credentials
                    running.reload()
                    if running is hosts.door and credentials == ["old"]:
                        continue  # the first step is a cut: the tests' own credential ends here
                    assert client.get("/api/v2/heartbeat").status_code == 200, (credentials, running is hosts.door)
        with asking(hosts.door, hosts.authority, "old") as former:
            wait_until(lambda: former.get("/guard/readyz").status_code == 401, "the old one to be refused", 10)
    finally:
        for running in (hosts.door, hosts.running):
            running.credentials = [INNER_CREDENTIAL]
            running.reload()


@pytest.fixture
def put_wrong(hosts):
    """Changes the gateway or the door for one test."""
    gateway, authority, certificate = hosts.running.gateway, hosts.running.authority, hosts.door.certificate
    yield hosts
    hosts.running.gateway, hosts.running.authority, hosts.door.certificate = gateway, authority, certificate
    hosts.running.credentials = [INNER_CREDENTIAL]
    for running in (hosts.door, hosts.running):
        running.reload()


def refused(hosts: SimpleNamespace, status: int) -> None:
    """Callers are told, the gateway counts as unwell, and Chroma has seen nothing."""
    with hosts.running.client("read-token") as client:
        wait_until(lambda: client.get("/healthz").status_code == 503, "the gateway to know", 10)
        hosts.chroma.forget()
        answer = client.get("/api/v2/heartbeat")
    assert answer.status_code == status
    assert hosts.chroma.arrived == []


def test_a_gateway_with_a_wrong_credential_gets_nowhere(put_wrong):
    put_wrong.running.credentials = ["wrong"]
    put_wrong.running.reload()
    refused(put_wrong, 503)


def test_a_door_with_a_certificate_for_another_name_gets_no_request(put_wrong):
    put_wrong.door.certificate = signed(put_wrong.authority, put_wrong.folder / "door", "other.internal", ADDRESS)
    put_wrong.door.reload()
    put_wrong.running.reload()
    refused(put_wrong, 503)


def test_a_door_of_another_authority_gets_no_request(put_wrong):
    put_wrong.door.certificate = signed(an_authority(), put_wrong.folder / "door")
    put_wrong.door.reload()
    put_wrong.running.reload()
    refused(put_wrong, 503)


def test_the_address_may_be_a_name(put_wrong):
    """What is verified is the name in the certificate, whatever way the address is found."""
    topology = put_wrong.running.gateway.topology
    put_wrong.running.changed(topology=replace(topology, chroma=replace(topology.chroma, host="localhost")))
    put_wrong.running.reload()
    assert put_wrong.running.gateway.topology.far.name == NAME
    with put_wrong.running.client("read-token") as client:
        assert client.get("/api/v2/heartbeat").status_code == 200


def test_a_renewed_certificate_of_the_door_is_taken_without_a_word(put_wrong):
    put_wrong.door.certificate = signed(put_wrong.authority, put_wrong.folder / "door")
    put_wrong.door.reload()
    with put_wrong.running.client("read-token") as client:
        assert client.get("/api/v2/heartbeat").status_code == 200
