"""One endpoint of what the gateway guards: who may call it, whether it may be repeated, and where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from infra.vocabulary import Role


class Target(StrEnum):
    """Who answers."""

    API = "api"
    """The Cortex API."""
    API_STREAM = "api-stream"
    """The Cortex API, for a body that goes on while the answer already comes."""
    CHROMA = "chroma"
    """The Chroma server."""
    NOBODY = "nobody"
    """Chroma declares it and breaks the connection when it is called: answered with 501."""


class Scope(StrEnum):
    """What of the store a call can reach: a token that is limited to tenants or databases may reach no more."""

    NOTHING = "nothing"
    """No data: every token."""
    TENANT = "tenant"
    """The tenant of the path, as a client asks for when it connects: tokens with anything in that tenant."""
    WHOLE_TENANT = "whole-tenant"
    """All databases of the tenant of the path: tokens that are not limited to one of its databases."""
    DATABASE = "database"
    """The database of the path."""
    COLLECTION = "collection"
    """The collection whose id is in the path: Chroma does not look whether it belongs to the database beside it."""
    EVERYTHING = "everything"
    """The whole server: tokens without a limit."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path.

    Attributes:
        method: HTTP method.
        path: With `{tenant}`, `{database}` or any other name in braces for a segment (`infra.gateway.pattern`).
        role: The least role that may call it; None when no token is needed.
        target: Who answers.
        scope: What of the store it can reach.
        repeatable: Whether it has the same effect and answer when it is sent twice.
    """

    method: str
    path: str
    role: Role | None
    target: Target
    scope: Scope
    repeatable: bool

    @property
    def stores(self) -> bool:
        """Whether it changes what is stored, and so is turned away when the store takes no writes."""
        return self.method != "GET" and self.role not in {None, Role.READ}
