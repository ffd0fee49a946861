"""Access tokens as the gateway keeps them: hashed, with a role, perhaps an end and a limit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.gateway.pattern import spellings
from infra.gateway.table import SEPARATOR
from infra.vocabulary import Role

ROLE_FIELD, NAME_FIELD, END_FIELD, LIMIT_FIELD = 1, 2, 3, 4
NO_END, LIMITED, UNLIMITED = "0", "limited", "unlimited"
WHOLE_TENANT = "*"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Reach:
    """A part of the store.

    Attributes:
        tenant: A tenant's name.
        database: A database of it; None for all of them.
    """

    tenant: str
    database: str | None = None


@dataclass(frozen=True, slots=True)
class GatewayToken:
    """A token without the token.

    Attributes:
        name: In logs and limits; letters, digits, dot, dash, underscore. Two generations of a token may share it.
        role: What its holder may do.
        sha256: Hash of the token, 64 lower-case hex digits.
        expires_at: When it ends; None for never.
        reaches: What it is limited to; empty for everything.
    """

    name: str
    role: Role
    sha256: str
    expires_at: datetime | None = None
    reaches: tuple[Reach, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would change the meaning of a line of the map.

        Raises:
            ValueError: saying which field, and what it may be.
        """
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"token name {self.name!r}: use up to 63 letters, digits, dots, dashes and underscores")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"token {self.name}: the hash is not 64 lower-case hex digits")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError(f"token {self.name}: its end has no time zone, for example 2027-01-31T00:00:00Z")


def hashed(token: str) -> str:
    """The token's SHA-256, hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_map(tokens: Sequence[GatewayToken]) -> str:
    """SHA-256 → `role|name|end, seconds since 1970|limited or not`."""
    return "".join(f"{token.sha256} {_fields(token)}\n" for token in tokens)


def reach_map(tokens: Sequence[GatewayToken]) -> str:
    """`name:tenant/` for every tenant a limited token has something in, `name:tenant/database` or `name:tenant/*`.

    Raises:
        ValueError: A name cannot stand in a path, or two tokens of one name have different limits.
    """
    limits: dict[str, tuple[Reach, ...]] = {}
    for token in tokens:
        if limits.setdefault(token.name, token.reaches) != token.reaches:
            raise ValueError(f"token {token.name}: two tokens of this name have different limits; name them apart")
    lines = dict.fromkeys(line for name, reaches in limits.items() for each in reaches for line in _keys(name, each))
    return "".join(f"{line} 1\n" for line in lines)


def _fields(token: GatewayToken) -> str:
    # Whatever ended before 1970 has ended: nothing of it may read as NO_END.
    end = str(max(1, int(token.expires_at.timestamp()))) if token.expires_at else NO_END
    return SEPARATOR.join((token.role.value, token.name, end, LIMITED if token.reaches else UNLIMITED))


def _keys(name: str, reach: Reach) -> Iterator[str]:
    for tenant in spellings(reach.tenant):
        yield f"{name}:{tenant}/"
        if reach.database is None:
            yield f"{name}:{tenant}/{WHOLE_TENANT}"
            continue
        for database in spellings(reach.database):
            # A database may be called `*`: encoded, it is not the mark for all of them.
            if database != WHOLE_TENANT:
                yield f"{name}:{tenant}/{database}"
