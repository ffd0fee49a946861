"""Waiting for a condition, with a limit."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

LIMIT_S = 30.0
_POLL_S = 0.02


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> float:
    """Seconds until the condition holds; fails the test after the limit."""
    started = time.monotonic()
    while not condition():
        took_s = time.monotonic() - started
        assert took_s < limit_s, f"waited {limit_s:g} s for {what}"
        time.sleep(_POLL_S)
    return time.monotonic() - started


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind((address, 0))
        return int(free.getsockname()[1])


def listens(address: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
