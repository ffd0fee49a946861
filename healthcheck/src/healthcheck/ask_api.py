"""What the Cortex API, or any server without a store, says about itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from healthcheck.ask import ask
from healthcheck.observation import CanaryView, ServerView, Warming
from healthcheck.server_watch import Publish, unanswered
from healthcheck.units import one_line


@dataclass(slots=True)
class AskApi:
    """The Cortex API: it has a canary of its own, and tells of it."""

    host: str
    port: int
    target: str
    timeout_s: float

    def ask(self, view: ServerView, publish: Publish) -> ServerView:  # noqa: ARG002 (one question, one answer)
        """`GET /healthz`."""
        asked_at_s = time.monotonic()
        answer = ask(self.host, self.port, self.target, asked_at_s + self.timeout_s)
        if answer.problem:
            return unanswered(view, answer, asked_at_s)
        body = answer.body
        return ServerView(
            running=True,
            pid=view.pid,
            answered=True,
            status=_text(body.get("status")) or f"HTTP {answer.status}",
            took_ms=answer.took_ms,
            # The answer is of when it came; from the question on it would be counted twice.
            asked_at_s=time.monotonic(),
            canary=canary_of(body.get("canary")),
            warming=warming_of(body.get("warming")),
            disk_full=view.disk_full or body.get("disk_full") is True,
        )


@dataclass(slots=True)
class AskAny:
    """A server without a store: any answer of success will do."""

    host: str
    port: int
    target: str
    timeout_s: float

    def ask(self, view: ServerView, publish: Publish) -> ServerView:  # noqa: ARG002 (one question, one answer)
        """`GET` its URL."""
        asked_at_s = time.monotonic()
        answer = ask(self.host, self.port, self.target, asked_at_s + self.timeout_s)
        if not answer.status:
            return unanswered(view, answer, asked_at_s)
        said = _text(answer.body.get("status"))
        ok = 200 <= answer.status < 300
        status = "ok" if ok else said if said in {"starting", "stopping"} else f"HTTP {answer.status}"
        return replace(
            view, answered=True, status=status, problem="", took_ms=answer.took_ms, asked_at_s=time.monotonic()
        )


def canary_of(given: object) -> CanaryView | None:
    """The canary in the API's answer; None when it is not as it should be."""
    if not isinstance(given, dict):
        return None
    error = given.get("error")
    return CanaryView(
        ok=given.get("ok") is True,
        age_s=_number(given.get("age_s")),
        error=None if error is None else one_line(str(error)),
        write_ms=_number(given.get("write_ms")),
        read_ms=_number(given.get("read_ms")),
    )


def warming_of(given: object) -> Warming | None:
    """The warm-up in the API's answer."""
    if not isinstance(given, dict):
        return None
    done, of = _number(given.get("done")), _number(given.get("of"))
    return None if done is None or of is None else Warming(int(done), int(of))


def _number(value: object) -> float | None:
    """A finite number from JSON that is not negative, where `true` is none; `NaN` fails every comparison."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        return None
    return float(value)


def _text(value: object) -> str:
    return one_line(value, 40) if isinstance(value, str) else ""
