"""File descriptors of a gateway, computed from what it allows."""

from __future__ import annotations

from infra.gateway.base import INNER_CONNECTIONS, PASSES
from infra.gateway.gateway import Gateway

# Listening and health checks, pipes of the workers, logs, libraries; twice over while old workers end.
OTHER_FILES = 500
# A request has a socket on either side of each pass.
SIDES = 2
# Old workers keep theirs until what they do is done.
GENERATIONS = 2


def open_files(gateway: Gateway) -> int:
    """Most descriptors that HAProxy needs."""
    passes = PASSES * (gateway.allowance.connections + INNER_CONNECTIONS)
    return GENERATIONS * (SIDES * passes + OTHER_FILES)
