"""New tokens and certificates reach the running gateway by a reload, and no caller notices."""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.gateway.gateway import Guard, Server, SingleNode
from infra.gateway.tokens import GatewayToken, hashed
from infra.vocabulary import Role
from tests.gateway.backend import Answer, Backend, GuardBackend
from tests.gateway.conftest import TOKENS, make_certificate
from tests.gateway.load import callers
from tests.gateway.raw import connect
from tests.gateway.running import ADDRESS, Running
from tests.gateway.waits import wait_until

WORK_S = 0.02


@pytest.fixture
def reloaded(haproxy, certificate, tmp_path):
    """A gateway of its own, in front of an API that takes its time."""
    api, guard = Backend(), GuardBackend()

    def work(_):
        time.sleep(WORK_S)
        return Answer(body={})

    api.answer = work
    topology = SingleNode(Server(ADDRESS, api.port, slots=4), Guard(ADDRESS, guard.port))
    running = Running(tmp_path / "gateway", topology, TOKENS, certificate)
    try:
        running.start()
        yield SimpleNamespace(running=running, api=api)
    finally:
        running.stop()
        api.stop()
        guard.stop()


def once_and_again(number: int) -> tuple[str, str, bytes | None]:
    """Requests that may be repeated, and such that may not."""
    body = json.dumps({"number": number}).encode()
    if number % 2:
        return "POST", "/v1/collections/notes/documents", body
    return "POST", "/v1/collections/notes/documents/delete", body


def test_tokens_are_added_and_removed_without_a_failed_request(reloaded):
    running = reloaded.running
    added = GatewayToken("writer", Role.WRITE, hashed("second-write-token"))
    with callers(running.url, running.trusting(), "write-token", once_and_again) as told:
        wait_until(lambda: len(told.took_s) > 30, "the first requests")
        running.tokens.append(added)
        running.reload()
        with running.client("second-write-token") as client:
            assert client.get("/v1/status").status_code == 200
        for _ in range(2):
            done = len(told.took_s)
            running.reload()
            wait_until(lambda done=done: len(told.took_s) > done + 30, "requests after a reload")
    assert told.failed == []
    # Each request arrived once, also those that may not be repeated.
    bodies = [each.body for each in reloaded.api.arrived if each.method == "POST"]
    assert len(bodies) == len(set(bodies)) == len(told.took_s)

    with running.client("write-token") as kept_open:
        assert kept_open.get("/v1/status").status_code == 200
        running.tokens = [each for each in running.tokens if each.sha256 != hashed("write-token")]
        running.reload()
        # A connection that was open may still bring one request under the old tokens; it is closed with that.
        kept_open.get("/v1/status")
        assert kept_open.get("/v1/status").status_code == 401
    with running.client("write-token") as client:
        assert client.get("/v1/status").status_code == 401
    with running.client("second-write-token") as client:
        assert client.get("/v1/status").status_code == 200


def test_a_token_ends_by_itself(reloaded):
    running = reloaded.running
    end = datetime.now(UTC) + timedelta(seconds=3)
    running.tokens.append(GatewayToken("guest", Role.READ, hashed("guest-token"), end))
    running.reload()
    with running.client("guest-token") as client:
        assert client.get("/v1/status").status_code == 200
        wait_until(lambda: datetime.now(UTC) >= end, "the token's end", 10)
        assert client.get("/v1/status").status_code == 401


def test_a_certificate_is_renewed_without_a_failed_request(reloaded, tmp_path):
    running = reloaded.running
    renewed = make_certificate(tmp_path)
    trusting = running.trusting()
    trusting.load_verify_locations(str(renewed))
    assert _shown(running) == _fingerprint(running.certificate)
    with callers(running.url, trusting, "write-token", once_and_again) as told:
        wait_until(lambda: len(told.took_s) > 30, "the first requests")
        running.certificate = renewed
        running.reload()
        done = len(told.took_s)
        wait_until(lambda: len(told.took_s) > done + 30, "requests after the reload")
    assert told.failed == []
    assert _shown(running) == _fingerprint(renewed)


def test_what_is_wrong_is_not_loaded(reloaded):
    running = reloaded.running
    workers = running.workers()
    path = Path(running.gateway.folder, "haproxy.cfg")
    with path.open("a", encoding="utf-8") as configuration:
        configuration.write("nonsense\n")
    running.signal_until(lambda: "unknown keyword 'nonsense'" in running.log.read_text(), "HAProxy to tell")
    assert running.process is not None
    with running.client("write-token") as client:
        assert client.get("/v1/status").status_code == 200
    assert running.process.poll() is None
    running.reload()
    assert running.workers() != workers


def _shown(running) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(running.gateway.doors.tls_port, context) as connection:
        return hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()


def _fingerprint(pem) -> str:
    text = pem.read_text()
    start, end = text.index("-----BEGIN CERTIFICATE"), text.index("-----END CERTIFICATE-----")
    der = ssl.PEM_cert_to_DER_cert(text[start:end] + "-----END CERTIFICATE-----\n")
    return hashlib.sha256(der).hexdigest()
