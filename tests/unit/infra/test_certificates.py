from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509 import verification

from infra.certificates import alternative_name, make_authority, renewal_is_due, sign_server

NOW = datetime(2030, 5, 17, 12, 0, 0, 123_456, tzinfo=UTC)
NAMES = ["db.example.org", "*.shards.example.org", "127.0.0.1", "::1"]


def subject(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def verify(authority, bundle, name, at):
    store = verification.Store([x509.load_pem_x509_certificate(authority.certificate.encode())])
    leaf = x509.load_pem_x509_certificate(bundle.encode())
    return verification.PolicyBuilder().store(store).time(at).build_server_verifier(subject(name)).verify(leaf, [])


@pytest.fixture(scope="module")
def authority():
    return make_authority("dev", NOW)


@pytest.mark.parametrize("name", ["db.example.org", "a.shards.example.org", "127.0.0.1", "::1"])
def test_the_authority_vouches_for_each_name(authority, name):
    bundle = sign_server(authority, NAMES, 90, NOW).bundle
    chain = verify(authority, bundle, name, NOW)
    assert chain[-1].subject.rfc4514_string() == "CN=Cortex dev"
    verify(authority, bundle, name, NOW - timedelta(minutes=59))


@pytest.mark.parametrize("name", ["example.org", "other.example.org", "a.b.shards.example.org", "127.0.0.2", "::2"])
def test_the_authority_vouches_for_no_other_name(authority, name):
    bundle = sign_server(authority, NAMES, 90, NOW).bundle
    with pytest.raises(verification.VerificationError):
        verify(authority, bundle, name, NOW)


def test_a_certificate_is_good_for_its_days_and_from_its_own_authority_only(authority):
    signed = sign_server(authority, NAMES, 90, NOW)
    assert signed.not_after == NOW.replace(microsecond=0) + timedelta(days=90)
    verify(authority, signed.bundle, NAMES[0], signed.not_after)
    for moment in (signed.not_after + timedelta(seconds=1), NOW - timedelta(hours=1, seconds=1)):
        with pytest.raises(verification.VerificationError):
            verify(authority, signed.bundle, NAMES[0], moment)
    with pytest.raises(verification.VerificationError):
        verify(make_authority("dev", NOW), signed.bundle, NAMES[0], NOW)


def test_the_authority_signs_servers_and_nothing_below(authority):
    made = x509.load_pem_x509_certificate(authority.certificate.encode())
    limits = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (limits.value.ca, limits.value.path_length, limits.critical) == (True, 0, True)
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert made.not_valid_after_utc == NOW.replace(microsecond=0) + timedelta(days=3_650)
    assert len(x509.load_pem_x509_certificate(make_authority("x" * 90, NOW).certificate.encode()).subject) == 1


def test_a_server_certificate_signs_nothing_and_serves_only(authority):
    made = x509.load_pem_x509_certificate(sign_server(authority, NAMES, 90, NOW).bundle.encode())
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)
    served = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(served) == [x509.ExtendedKeyUsageOID.SERVER_AUTH]


def test_no_certificate_outlives_its_authority(authority):
    late = NOW + timedelta(days=3_640)
    assert sign_server(authority, NAMES, 90, late).not_after == NOW.replace(microsecond=0) + timedelta(days=3_650)
    with pytest.raises(ValueError, match="ended on 2040-05-14: raise its generation"):
        sign_server(authority, NAMES, 90, NOW + timedelta(days=3_651))


def test_names_are_told_apart_and_wrong_ones_refused(authority):
    assert alternative_name("10.0.0.1") == x509.IPAddress(ipaddress.ip_address("10.0.0.1"))
    assert alternative_name("localhost") == x509.DNSName("localhost")
    for wrong in ("", "bücher.example"):
        with pytest.raises(ValueError, match="no host name or address"):
            alternative_name(wrong)
    with pytest.raises(ValueError, match="at least one"):
        sign_server(authority, [], 90, NOW)


def test_secrets_are_in_no_representation(authority):
    assert "KEY" not in f"{authority!r} {sign_server(authority, NAMES, 90, NOW)!r}"


@pytest.mark.parametrize(
    ("days", "left", "due"),
    [
        (365, timedelta(days=30), False),
        (365, timedelta(days=30, seconds=-1), True),
        (90, timedelta(days=30), False),
        (90, timedelta(days=30, seconds=-1), True),
        (60, timedelta(days=20), False),
        (60, timedelta(days=20, seconds=-1), True),
        (1, timedelta(hours=8), False),
        (1, timedelta(hours=7, minutes=59), True),
        (365, timedelta(days=-1), True),
    ],
)
def test_a_certificate_is_renewed_in_time(days, left, due):
    assert renewal_is_due(NOW + left, days, NOW) is due


def shake_hands(authority, bundle, name, folder):
    """What the client saw of a real handshake over a socket pair; a server that fails shows on the client's side."""
    file = folder / "bundle.pem"
    file.write_text(bundle)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cadata=authority.certificate)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)

    def serve():
        try:
            with server.wrap_socket(theirs, server_side=True) as spoken:
                spoken.sendall(b"hello")
        except (OSError, ssl.SSLError):
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as spoken:
            return spoken.recv(5)
    finally:
        ours.close()
        thread.join(10)


def test_a_client_that_trusts_the_authority_shakes_hands(tmp_path):
    now = datetime.now(UTC)
    authority = make_authority("dev", now)
    bundle = sign_server(authority, ["localhost", "127.0.0.1"], 90, now).bundle
    assert shake_hands(authority, bundle, "localhost", tmp_path) == b"hello"
    assert shake_hands(authority, bundle, "127.0.0.1", tmp_path) == b"hello"
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(authority, bundle, "elsewhere", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"signature failure|unable to get local issuer"):
        shake_hands(make_authority("dev", now), bundle, "localhost", tmp_path)
