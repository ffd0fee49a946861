"""A caller that asks without a pause while a stack is changed, and takes down every answer that is none."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.deploy.deployment import Deployment

PAUSE_S = 0.02
MOST_FAILURES_KEPT = 20
END_LIMIT_S = 90


@dataclass
class Calls:
    """What became of them so far."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)
    longest_s: float = 0.0


@contextmanager
def steady_calls(
    deployment: Deployment, token: str, path: str = "/v1/collections", *, trust: ssl.SSLContext | None = None
) -> Iterator[Calls]:
    """Ask with one word of a token until the block ends; success is status 200."""
    calls, ending = Calls(), threading.Event()
    client = deployment.client(token, trust=trust)

    def ask() -> None:
        while not ending.is_set():
            started = time.monotonic()
            try:
                answer = client.get(path)
                said = "" if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"
            except httpx.HTTPError as error:
                said = repr(error)
            calls.longest_s = max(calls.longest_s, time.monotonic() - started)
            if not said:
                calls.answered += 1
            elif len(calls.failures) < MOST_FAILURES_KEPT:
                calls.failures.append(said)
            ending.wait(PAUSE_S)

    thread = threading.Thread(target=ask, name="steady calls")
    thread.start()
    try:
        yield calls
    finally:
        ending.set()
        thread.join(END_LIMIT_S)
        client.close()
        assert not thread.is_alive(), f"waited {END_LIMIT_S} s for the last call to end"
