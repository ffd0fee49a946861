"""The gateway's certificate: trusted by whoever has the authority's, made anew or given without a new gateway."""

from __future__ import annotations

import json
import socket
import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509

from infra.certificates import make_authority, sign_server
from infra.topologies.parts import GATEWAY
from tests.deploy.deployment import Deployment, wait_for
from tests.deploy.secret_words import all_containers, files_of_state, key_line, shown_in
from tests.deploy.steady import steady_calls


def served(deployment: Deployment, name: str = "localhost", trust: ssl.SSLContext | None = None) -> x509.Certificate:
    """The certificate that a client is shown who asks for a name and trusts the stack's authority, or another.

    Raises:
        ssl.SSLCertVerificationError: The client does not trust it, or it is not good for the name.
    """
    port = deployment.settings["access"]["port"]
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        (trust or deployment.trust()).wrap_socket(plain, server_hostname=name) as connection,
    ):
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown)


def test_it_is_trusted_with_the_stacks_authority(deployment: Deployment) -> None:
    shown = served(deployment)
    assert served(deployment, "127.0.0.1") == shown
    assert datetime.fromisoformat(deployment.output("certificate_ends")) == shown.not_valid_after_utc
    authority = x509.load_pem_x509_certificate(deployment.output("authority").encode())
    shown.verify_directly_issued_by(authority)


def test_it_is_not_trusted_without_the_authority_nor_for_other_names(deployment: Deployment) -> None:
    other = make_authority("another stack", datetime.now(UTC)).certificate
    for trust in (ssl.create_default_context(), ssl.create_default_context(cadata=other)):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self.signed"):
            served(deployment, trust=trust)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'example\.org'"):
        served(deployment, "example.org")


def test_another_one_is_made_without_another_gateway(deployment: Deployment) -> None:
    old, authority = served(deployment), deployment.output("authority")
    before, tls = deployment.inspect(GATEWAY), deployment.settings.get("tls", {})
    with steady_calls(deployment, deployment.token()) as calls:
        deployment.set({"tls": {**tls, "generation": tls.get("generation", 1) + 1}})
        deployment.up()
        wait_for(lambda: served(deployment) != old, "the new certificate to be served", 30)
    assert calls.failures == []
    assert calls.answered > 10
    new = served(deployment)
    assert new.public_key() != old.public_key()
    assert deployment.output("authority") == authority
    assert datetime.fromisoformat(deployment.output("certificate_ends")) == new.not_valid_after_utc
    after = deployment.inspect(GATEWAY)
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert deployment.preview_is_empty()


def test_a_given_one_is_served_and_its_key_stays_hidden(deployment: Deployment) -> None:
    now = datetime.now(UTC)
    authority = make_authority("of the test", now)
    given = sign_server(authority, ["localhost", "127.0.0.1"], 30, now)
    theirs = ssl.create_default_context(cadata=authority.certificate)
    before, tls = deployment.inspect(GATEWAY)["Id"], deployment.settings.get("tls", {})
    deployment.run("config", "set", "--secret", "--path", "cortex:tls.given", stdin=given.bundle)
    try:
        deployment.up()
        assert deployment.authority is None
        assert not deployment.outputs.get("certificate_ends")
        wait_for(lambda: _serial(deployment, theirs) == given.serial, "the given certificate to be served", 30)
        with deployment.client(trust=theirs) as client:
            assert client.get("/v1/status").status_code == 200
        places = {name: json.dumps(deployment.docker(["inspect", name])) for name in all_containers(deployment)}
        places["settings and state"] = files_of_state(deployment)
        assert shown_in({"key": key_line(given.bundle)}, places) == set()
    finally:
        # The settings file is written anew, without it.
        deployment.set({"tls": tls})
        deployment.up()
    wait_for(lambda: _serial(deployment, deployment.trust()) != given.serial, "the stack's own to be served", 30)
    assert deployment.inspect(GATEWAY)["Id"] == before


def _serial(deployment: Deployment, trust: ssl.SSLContext) -> int | None:
    """Serial number of what is served; None while that is not trusted."""
    try:
        return served(deployment, trust=trust).serial_number
    except ssl.SSLCertVerificationError:
        return None
