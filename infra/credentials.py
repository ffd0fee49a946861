"""Random words, such as access tokens: made once, kept as secrets in the state, replaced with their generation."""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
from pulumi import dynamic

# 256 bits: a word is its own proof against guessing, so a plain hash of it can be stored.
WORD_BYTES = 32
# As earlier versions wrote a token's first word into the state.
FORMER_TYPE, FORMER_GENERATION = "pulumi-python:dynamic/cortex:AccessToken", 1


class WordProvider(dynamic.ResourceProvider):
    """Makes a random word, and keeps it for as long as its generation stays."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make the word."""
        value = props.get("given") or secrets.token_urlsafe(WORD_BYTES)
        return dynamic.CreateResult(id_=f"{props['name']}-{props['generation']}", outs={**_kept(props), "value": value})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Replace the word when its generation changes; nothing else matters, its name is the resource's."""
        changed = [key for key in ("generation",) if str(olds.get(key)) != str(news.get(key))]
        # The new word is there before the old one goes, so no moment is without a valid one.
        return dynamic.DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=False)


# A state names its providers by module and class: whoever made a stack with this name must be able to change it.
TokenProvider = WordProvider


def _kept(props: dict[str, Any]) -> dict[str, Any]:
    return {"name": props["name"], "generation": props["generation"]}


class RandomWord(dynamic.Resource, module="cortex", name="RandomWord"):
    """A random word of 43 URL-safe characters.

    Attributes:
        value: The word, a secret.
    """

    value: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        generation: int,
        opts: pulumi.ResourceOptions | None = None,
        *,
        given: pulumi.Output[str] | None = None,
    ) -> None:
        """Declare it; in a state of earlier versions it may be an `AccessToken` without its generation in the name.

        Args:
            name: What it is for.
            generation: Another one is another word.
            opts: Of the resource.
            given: The word to take when it is made, from the backup of a stack that is rebuilt; made if that is empty.
        """
        super().__init__(
            WordProvider(),
            f"{name}-{generation}",
            {"name": name, "generation": generation, "value": None, **({"given": given} if given is not None else {})},
            pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    additional_secret_outputs=["value"],
                    aliases=[pulumi.Alias(type_=FORMER_TYPE, name=name)] if generation == FORMER_GENERATION else None,
                ),
                opts,
            ),
        )
