"""A few busy callers: each keeps its connection and asks again as soon as it has its answer."""

from __future__ import annotations

import itertools
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

CALLERS = 6


@dataclass
class Told:
    """What happened to the callers.

    Attributes:
        took_s: Of each answer.
        failed: What went wrong, one text each.
    """

    took_s: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    by_path: dict[str, int] = field(default_factory=dict)

    @property
    def longest_s(self) -> float:
        """The longest wait."""
        return max(self.took_s, default=0.0)


Request = Callable[[int], tuple[str, str, bytes | None]]
"""Number of the request → method, path, body."""


@contextmanager
def callers(
    url: str, verify: ssl.SSLContext | bool, token: str, request: Request, count: int = CALLERS
) -> Iterator[Told]:
    """Callers that are busy until the block ends."""
    told, stop, numbers = Told(), threading.Event(), itertools.count()
    lock = threading.Lock()

    def call() -> None:
        with httpx.Client(base_url=url, headers={"x-chroma-token": token}, verify=verify, timeout=120) as client:
            while not stop.is_set():
                method, path, body = request(next(numbers))
                started = time.monotonic()
                try:
                    answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
                    wrong = "" if answer.is_success else f"{answer.status_code} {answer.text[:300]}"
                except httpx.HTTPError as error:
                    wrong = repr(error)
                with lock:
                    told.took_s.append(time.monotonic() - started)
                    kind = f"{method} {path.rpartition('/')[2]}"
                    told.by_path[kind] = told.by_path.get(kind, 0) + 1
                    if wrong:
                        told.failed.append(f"{kind}: {wrong}")

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        stop.set()
        for thread in threads:
            thread.join(150)
