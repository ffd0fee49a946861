"""The passwords for restic and for rclone's crypt, derived from the one key (HKDF with SHA-256, RFC 5869)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

_SALT = b"cortex backup"
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """Passwords, each 43 URL-safe characters."""

    restic_password: str = field(repr=False)
    crypt_password: str = field(repr=False)
    crypt_salt: str = field(repr=False)


def derive(key: str) -> Keys:
    """All passwords of one key. The same key gives the same passwords for ever: backups depend on it."""
    return Keys(
        restic_password=_password(key, "cortex restic"),
        crypt_password=_password(key, "cortex crypt password"),
        crypt_salt=_password(key, "cortex crypt salt"),
    )


def _password(key: str, label: str) -> str:
    extracted = hmac.new(_SALT, key.encode(), hashlib.sha256).digest()
    # One block of output is all that is needed: its counter is 1.
    raw = hmac.new(extracted, label.encode() + b"\x01", hashlib.sha256).digest()[:_BYTES]
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
