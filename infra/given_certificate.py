"""What is wrong with a certificate that the user brings, in words that never repeat its content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE = "CERTIFICATE"
_KEYS = frozenset({"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"})
# What key generators write beside a key; the gateway reads over it.
_PARAMETERS = frozenset({"EC PARAMETERS", "DH PARAMETERS"})
# OpenSSL at its default security level, which the gateway's has, loads no shorter ones.
_RSA_BITS = 2_048
# The gateway's guard counts as degraded with less (docs/health.md), and `up` would wait for it in vain.
FEWEST_DAYS = 7
_UNREADABLE = (ValueError, UnsupportedAlgorithm)


def check_given(pem: str, now: datetime) -> list[str]:
    """Problems of a bundle of certificate, chain and key (PEM); none when the gateway can use it.

    Args:
        pem: The server's own certificate first, then each one's issuer; the key anywhere.
        now: With a time zone.
    """
    blocks = [(match[1], match[0]) for match in _BLOCK.finditer(pem)]
    if not blocks:
        return ["is not PEM: there is no block that begins with -----BEGIN and ends with -----END"]
    problems = [
        f"holds a block {label}, which does not belong there"
        for label in sorted({label for label, _ in blocks} - _KEYS - _PARAMETERS - {_CERTIFICATE})
    ]
    chain = _certificates([text for label, text in blocks if label == _CERTIFICATE], problems)
    key = _key([text for label, text in blocks if label in _KEYS], problems)
    if not chain:
        return problems
    if key is not None:
        problems += _fit(key, chain)
    for place, certificate in enumerate(chain, 1):
        problems += _validity(place, certificate, now)
    for place, (lower, upper) in enumerate(pairwise(chain), 1):
        if not _issued(upper, lower):
            problems.append(
                f"has its chain out of order: certificate {place + 1} did not sign certificate {place}; begin with "
                "the server's own, and let the issuer of each come next"
            )
    return problems


def _certificates(texts: Sequence[str], problems: list[str]) -> list[x509.Certificate]:
    """All of them, or none when one cannot be read."""
    if not texts:
        problems.append("holds no certificate (a block CERTIFICATE)")
    chain = []
    for place, text in enumerate(texts, 1):
        try:
            chain.append(x509.load_pem_x509_certificate(text.encode()))
        except _UNREADABLE:
            problems.append(f"holds a certificate that cannot be read, number {place}")
    return chain if len(chain) == len(texts) else []


def _key(texts: Sequence[str], problems: list[str]) -> PrivateKeyTypes | None:
    """The only key, if it can be read."""
    if not texts:
        problems.append("holds no private key (a block PRIVATE KEY)")
        return None
    if len(texts) > 1:
        problems.append(f"holds {len(texts)} private keys; leave only that of the first certificate")
        return None
    try:
        key = serialization.load_pem_private_key(texts[0].encode(), None)
    except TypeError:  # what the library raises for want of a password
        problems.append("holds an encrypted private key; give it without a password (openssl pkey -in … -out …)")
        return None
    except _UNREADABLE:
        problems.append("holds a private key that cannot be read")
        return None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < _RSA_BITS:
        problems.append(f"has an RSA key of {key.key_size} bits; the gateway needs {_RSA_BITS} or more")
    return key


def _fit(key: PrivateKeyTypes, chain: Sequence[x509.Certificate]) -> list[str]:
    wanted = _public_bytes(key.public_key())
    fitting = [place for place, each in enumerate(chain, 1) if _public_bytes(each.public_key()) == wanted]
    if fitting[:1] == [1]:
        return []
    if fitting:
        return [f"has a private key that fits certificate {fitting[0]}; that one must be the first"]
    return ["has a private key that does not fit the first certificate"]


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _validity(place: int, certificate: x509.Certificate, now: datetime) -> list[str]:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if until < now:
        return [f"has expired: certificate {place} was good until {_moment(until)}"]
    if until - now < timedelta(days=FEWEST_DAYS):
        return [f"ends soon: certificate {place} is good until {_moment(until)}, and {FEWEST_DAYS} days are the least"]
    if since > now:
        return [f"is not good yet: certificate {place} begins on {_moment(since)}"]
    return []


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _issued(upper: x509.Certificate, lower: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (*_UNREADABLE, TypeError, InvalidSignature):
        return False
    return True
