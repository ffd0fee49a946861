"""Who may do what is decided by the gateway; here, only what the gateway says is believed.

The gateway proves itself by the inner credential, which this process knows by its hash. Tokens are unknown here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from starlette.datastructures import Headers

from cortex_api.problems import Problem
from cortex_api.watched_file import WatchedFile

CREDENTIAL_HEADER = "X-Cortex-Inner"
ROLE_HEADER = "X-Cortex-Role"
NAME_HEADER = "X-Cortex-Token-Name"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,99}")


class Role(IntEnum):
    """What a caller may do; each role includes those before it."""

    READ = 1
    WRITE = 2
    ADMIN = 3


_ROLES = {role.name.lower(): role for role in Role}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request, as the gateway states it: the token's name, never the token."""

    name: str
    role: Role


class Gateway:
    """Knows the gateway by its credential, and a caller by what the gateway says of it."""

    def __init__(self, path: Path) -> None:
        """Read the credential's hash.

        Args:
            path: file with a SHA-256 in hex on each line; while the credential is changed, the old and the new one.

        Raises:
            FileUnusable: it cannot be used; without it every request would have to be refused.
        """
        self._digests = WatchedFile("CORTEX_INNER_CREDENTIAL_FILE", path, _parsed)

    def principal(self, headers: Headers) -> Principal:
        """The caller of a request.

        Raises:
            Problem: 401, it did not come from the gateway; 403, the gateway did not state who sent it.
        """
        credential = _only(headers, CREDENTIAL_HEADER)
        if not credential or not self._is_known(credential):
            raise Problem(
                401,
                "gateway-needed",
                "this address takes requests from its gateway only; send yours to the gateway, with a token "
                "(`Authorization: Bearer <token>`)",
                headers={"WWW-Authenticate": 'Bearer realm="cortex"'},
            )
        role = _ROLES.get(_only(headers, ROLE_HEADER) or "")
        name = _only(headers, NAME_HEADER) or ""
        if role is None or not _NAME.fullmatch(name):
            missing = ROLE_HEADER if role is None else NAME_HEADER
            raise Problem(403, "role-unknown", f"the gateway did not state in {missing} who sent this request")
        return Principal(name, role)

    def _is_known(self, credential: str) -> bool:
        """Compares in constant time, with every hash."""
        digest = hashlib.sha256(credential.encode("latin-1")).digest()
        return bool(sum(hmac.compare_digest(known, digest) for known in self._digests.value))


def _only(headers: Headers, name: str) -> str | None:
    """The header's value; None if it is missing or there twice, as when somebody adds one to the gateway's."""
    values = headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _parsed(text: str) -> tuple[bytes, ...]:
    lines = text.split()
    if not lines or not all(_DIGEST.fullmatch(line) for line in lines):
        raise ValueError("must hold one or more lines, each the SHA-256 of a credential in 64 lower-case hex digits")
    return tuple(bytes.fromhex(line) for line in lines)
