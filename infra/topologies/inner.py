"""The way between the stack's own parts: its port, and the credential that they show each other."""

from __future__ import annotations

from infra.gateway.gateway import Doors
from infra.plan import Word
from infra.settings import Settings

PORT = Doors().inner_port


def words(settings: Settings) -> tuple[Word, ...]:
    """The credentials that are accepted; the first is the one to show."""
    return tuple(Word("inner", generation) for generation in settings.gateway.credential_generations)
