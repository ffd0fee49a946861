"""The stack's own authority, the server certificates that it signs, and when one is due for renewal."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3_650
# Clocks differ: a certificate must be good for a client whose clock is behind.
BACKDATED = timedelta(hours=1)
RENEWAL_LEFT = timedelta(days=30)
# A short-lived certificate is renewed when this part of its days is left.
RENEWAL_SHARE = 3
# X.520: the longest common name.
_COMMON_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that clients may trust (PEM), and the key that signs for it (PEM, secret)."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """A server's certificate and its key in one text.

    Attributes:
        bundle: PEM of the certificate, then of the key; secret. The authority signs it directly: there is nothing
            between them, and the authority itself is for clients to have.
        not_after: Its last moment.
        serial: Its serial number.
    """

    bundle: str = field(repr=False)
    not_after: datetime
    serial: int


def make_authority(name: str, now: datetime) -> Authority:
    """A new authority, good for ten years.

    Args:
        name: What clients see, after "Cortex".
        now: With a time zone.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _common_name(f"Cortex {name}")
    since = now.replace(microsecond=0)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - BACKDATED)
        .not_valid_after(since + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(_pem(certificate), _key_pem(key))


def sign_server(authority: Authority, names: Sequence[str], days: int, now: datetime) -> Signed:
    """A new key, and a certificate for it that a server of these names can show.

    Args:
        authority: Who signs.
        names: Host names (also `*.example.org`) and addresses.
        days: How long it is good for; at most as long as the authority.
        now: With a time zone.

    Raises:
        ValueError: No names, one that is neither a host name nor an address, or an authority that has ended.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = serialization.load_pem_private_key(authority.key.encode(), None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an elliptic curve key")
    since = now.replace(microsecond=0)
    if issuer.not_valid_after_utc <= since:
        raise ValueError(
            f"the stack's certificate authority ended on {issuer.not_valid_after_utc:%Y-%m-%d}: raise its generation"
        )
    if not names:
        raise ValueError("a server certificate needs at least one host name or address")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_common_name("Cortex gateway"))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - BACKDATED)
        .not_valid_after(min(since + timedelta(days=days), issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([alternative_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_signed_by(issuer), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return Signed(_pem(certificate) + _key_pem(key), certificate.not_valid_after_utc, certificate.serial_number)


def alternative_name(text: str) -> x509.GeneralName:
    """A name as a certificate holds it: an address if it reads as one, else a host name.

    Raises:
        ValueError: It is empty, or has letters that a host name cannot have.
    """
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    if not text or not text.isascii():
        raise ValueError(f"{text!r} is no host name or address; write other letters in their xn--… form")
    return x509.DNSName(text)


def renewal_is_due(not_after: datetime, days: int, now: datetime) -> bool:
    """Whether a certificate that is made for so many days should be replaced by a new one.

    Less than 30 days are left, or less than a third of its days where those are fewer than 90.
    """
    return not_after - now < min(RENEWAL_LEFT, timedelta(days=days) / RENEWAL_SHARE)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    known_as = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known_as)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_COMMON_NAME_CHARS])])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
