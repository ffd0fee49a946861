"""TLS as the deployed gateway offers it, with the certificate that the program made."""

from __future__ import annotations

import socket
import ssl

import httpx
import pytest

from infra.gateway.base import CIPHERS
from tests.deploy.deployment import Deployment

V = ssl.TLSVersion
WEAK = ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384")


def connect(deployment: Deployment, context: ssl.SSLContext, name: str = "localhost") -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", deployment.settings["access"]["port"]), timeout=20)
    return context.wrap_socket(plain, server_hostname=name)


def offering(deployment: Deployment, version: ssl.TLSVersion, ciphers: str = "ALL") -> ssl.SSLContext:
    """A client of one version that offers also what is to be refused."""
    context = deployment.trust()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("version", [V.TLSv1, V.TLSv1_1], ids=lambda version: version.name)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_are_refused(client_server: Deployment, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)version|alert"):
        connect(client_server, offering(client_server, version))


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3], ids=lambda version: version.name)
def test_new_versions_are_taken(client_server: Deployment, version: ssl.TLSVersion) -> None:
    with connect(client_server, offering(client_server, version)) as connection:
        assert connection.version() == version.name.replace("_", ".")
        cipher = connection.cipher()
    assert cipher is not None
    assert version is V.TLSv1_3 or cipher[0] in CIPHERS.split(":")


@pytest.mark.parametrize("cipher", WEAK)
def test_weak_ciphers_are_refused(client_server: Deployment, cipher: str) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake|alert"):
        connect(client_server, offering(client_server, V.TLSv1_2, cipher))


def test_http2_is_offered(client_server: Deployment) -> None:
    context = client_server.trust()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connect(client_server, context) as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_the_certificate_is_good_for_this_host_and_no_other(client_server: Deployment) -> None:
    for name in ("localhost", "127.0.0.1"):
        connect(client_server, client_server.trust(), name).close()
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)hostname"):
        connect(client_server, client_server.trust(), "elsewhere.example")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)self.signed|issuer|unable"):
        connect(client_server, ssl.create_default_context())


def test_plain_http_is_for_loopback_and_tells_nobody_to_use_tls(client_server: Deployment) -> None:
    plain = httpx.get(f"{client_server.output('plain_url')}/healthz", trust_env=False)
    assert plain.status_code == 200
    assert "strict-transport-security" not in plain.headers
    with client_server.client() as client:
        assert client.get("/healthz").headers["strict-transport-security"] == "max-age=31536000"
