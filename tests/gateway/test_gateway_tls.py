"""TLS as it is offered: versions, ciphers, HTTP/2, HSTS; plain HTTP only where it was asked for."""

from __future__ import annotations

import dataclasses
import ssl

import httpx
import pytest

from infra.gateway.base import CIPHERS
from tests.gateway.conftest import TOKENS
from tests.gateway.http2 import ask
from tests.gateway.raw import connect
from tests.gateway.running import ADDRESS, Running
from tests.gateway.waits import listens

V = ssl.TLSVersion


def _context(running, lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> ssl.SSLContext:
    context = running.trusting()
    context.minimum_version, context.maximum_version = lowest, highest
    # This side must be able to offer what the other is to refuse.
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("version", [V.TLSv1, V.TLSv1_1], ids=lambda version: version.name)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_are_refused(client_server, version):
    running = client_server.running
    with pytest.raises(ssl.SSLError):
        connect(running.gateway.doors.tls_port, _context(running, version, version))


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3], ids=lambda version: version.name)
def test_new_versions_are_taken(client_server, version):
    running = client_server.running
    with connect(running.gateway.doors.tls_port, _context(running, version, version)) as connection:
        assert connection.version() == version.name.replace("_", ".")
        cipher = connection.cipher()[0]
    assert version is V.TLSv1_3 or cipher in CIPHERS.split(":")


@pytest.mark.parametrize(
    "cipher", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"]
)
def test_weak_ciphers_are_refused(client_server, cipher):
    running = client_server.running
    context = _context(running, V.TLSv1_2, V.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        connect(running.gateway.doors.tls_port, context)


def test_http2_is_offered_and_has_the_same_rules(client_server):
    running = client_server.running

    def asked(method: str, path: str, token: str, body: bytes = b"", *more: tuple[str, str]):
        with connect(running.gateway.doors.tls_port, running.trusting(), ("h2",)) as connection:
            assert connection.selected_alpn_protocol() == "h2"
            length = [("content-length", str(len(body)))] if body else []
            headers = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
            return ask(connection, [*headers, ("x-chroma-token", token), *length, *more], body)

    assert asked("GET", "/api/v2/heartbeat", "read-token").status == 200
    # An answer before the body was read must still arrive.
    refused = asked("POST", "/api/v2/tenants", "write-token", b'{"name": "abc"}')
    assert (refused.status, refused.json()["type"]) == (403, "urn:cortex:problem:role-too-low")
    assert asked("GET", "/api/v2//heartbeat", "read-token").status == 404
    assert asked("GET", "/api/v2/heartbeat", "wrong-token").status == 401
    client_server.api.forget()
    assert asked("GET", "/v1/status", "read-token", b"", ("x-cortex-role", "admin")).status == 200
    (came,) = [each for each in client_server.api.arrived if each.path == "/v1/status"]
    assert came.header("x-cortex-role") == "read"


def test_browsers_are_told_to_stay_with_tls(client_server):
    running = client_server.running
    with running.client() as client:
        for path in ("/docs", "/nothing", "/healthz"):
            assert client.get(path).headers["strict-transport-security"] == "max-age=31536000"
    answer = httpx.get(f"{running.plain_url}/docs")
    assert "strict-transport-security" not in answer.headers


def test_plain_http_is_there_only_if_asked_for(client_server, certificate, tmp_path):
    running = client_server.running
    assert httpx.get(f"{running.plain_url}/api/v2/heartbeat").status_code == 401
    # TLS and plain HTTP are not mixed up on a port.
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://{ADDRESS}:{running.gateway.doors.tls_port}/healthz")
    other = Running(tmp_path, running.gateway.topology, TOKENS, certificate)
    plain_port = other.gateway.doors.plain_port
    other.changed(doors=dataclasses.replace(other.gateway.doors, plain_port=None))
    try:
        other.start()
        assert listens(ADDRESS, other.gateway.doors.tls_port)
        assert not listens(ADDRESS, plain_port)
    finally:
        other.stop()
