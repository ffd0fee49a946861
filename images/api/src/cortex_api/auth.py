"""Who may do what: bearer tokens, known by their hashes only, with roles; rotated by replacing a file."""

from __future__ import annotations

import hashlib
import hmac
import threading
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator

from cortex_api.logs import get_logger

_log = get_logger(__name__)


class Role(IntEnum):
    """What a token may do; each role includes those before it."""

    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request: the token's name, never the token."""

    name: str
    role: Role


class TokensError(ValueError):
    """The tokens file is missing or not what it should be."""


class _Token(BaseModel):
    name: str = Field(min_length=1)
    role: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @field_validator("role")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in {role.name.lower() for role in Role}:
            raise ValueError("must be read, write or admin")
        return value


_FILE = TypeAdapter(list[_Token])


def read_tokens(path: Path) -> dict[bytes, Principal]:
    """Principals by the token's SHA-256.

    Raises:
        TokensError: the file is missing, empty or malformed. Its content is not repeated.
    """
    try:
        tokens = _FILE.validate_json(path.read_bytes())
    except OSError as problem:
        raise TokensError(f"CORTEX_TOKENS_FILE={path}: {problem.strerror}") from problem
    except ValidationError as problem:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors(include_input=False))
        raise TokensError(
            f"CORTEX_TOKENS_FILE={path}: {wrong}; "
            'expected [{"name": "admin", "role": "admin", "sha256": "<hex of the token\'s SHA-256>"}]'
        ) from None
    if not tokens:
        raise TokensError(f"CORTEX_TOKENS_FILE={path}: holds no token, so nobody could use the API")
    return {bytes.fromhex(token.sha256): Principal(token.name, Role[token.role.upper()]) for token in tokens}


class Tokens:
    """The current tokens. The file is looked at on every request and read again when it changed."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            TokensError: it cannot be used; a process without tokens would refuse everybody.
        """
        self._path = path
        self._lock = threading.Lock()
        self._stamp = self._current_stamp()
        self._principals = read_tokens(path)

    def authenticate(self, token: str) -> Principal | None:
        """The token's principal, or None. Compares hashes in constant time, with every known token."""
        self._refresh()
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        for known, principal in self._principals.items():
            if hmac.compare_digest(known, digest):
                found = principal
        return found

    def _current_stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _refresh(self) -> None:
        stamp = self._current_stamp()
        if stamp == self._stamp:
            return
        with self._lock:
            if stamp == self._stamp:
                return
            # remembered even when the file is bad: said once, and the old tokens stay valid
            self._stamp = stamp
            try:
                self._principals = read_tokens(self._path)
            except TokensError as problem:
                _log.error("tokens.rejected", reason=str(problem), kept=len(self._principals))
            else:
                _log.info("tokens.loaded", count=len(self._principals))


def bearer(header: str | None) -> str | None:
    """The token of an Authorization header, or None."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
