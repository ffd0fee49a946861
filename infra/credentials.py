"""Access tokens: made once, kept as secrets in the state, replaced when their generation changes."""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
from pulumi import dynamic

# 256 bits: a token is its own proof against guessing, so a plain hash of it can be stored.
TOKEN_BYTES = 32


class TokenProvider(dynamic.ResourceProvider):
    """Makes a random token, and keeps it for as long as name and generation stay."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make the token."""
        return dynamic.CreateResult(
            id_=f"{props['name']}-{props['generation']}",
            outs={**_kept(props), "value": secrets.token_urlsafe(TOKEN_BYTES)},
        )

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Replace the token when its generation or name changes; nothing else matters."""
        changed = [key for key in ("generation", "name") if str(olds.get(key)) != str(news.get(key))]
        # The new token is there before the old one goes, so no moment is without a valid one.
        return dynamic.DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=False)


def _kept(props: dict[str, Any]) -> dict[str, Any]:
    return {"name": props["name"], "generation": props["generation"]}


class AccessToken(dynamic.Resource, module="cortex", name="AccessToken"):
    """A random bearer token, 43 URL-safe characters.

    Attributes:
        value: The token, a secret.
    """

    value: pulumi.Output[str]

    def __init__(self, name: str, generation: int, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            TokenProvider(),
            f"token-{name}",
            {"name": name, "generation": generation, "value": None},
            pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=["value"]), opts),
        )
