"""What is made of a server's answers, and that asking never holds up the one who looks."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from healthcheck.ask_api import AskAny, AskApi, canary_of, warming_of
from healthcheck.observation import CanaryView, ServerView, Warming
from healthcheck.server_watch import Publish, ServerWatch

WAIT_S = 5.0


def until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"{what}: not within {WAIT_S} s"
        time.sleep(0.005)


class FakeServer:
    """Answers every request with the same."""

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = {"status": "ok"}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = fake.body if isinstance(fake.body, bytes) else json.dumps(fake.body).encode()
                self.send_response(fake.status)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()
    thread.join()


def asked(kind: type[AskApi] | type[AskAny], server: FakeServer, view: ServerView | None = None) -> ServerView:
    return kind("127.0.0.1", server.port, "/healthz", 2.0).ask(view or ServerView(True, 7), lambda _: None)


def test_an_answer_of_the_api(server: FakeServer) -> None:
    server.body = {
        "status": "starting",
        "canary": {"ok": True, "age_s": 3.5, "write_ms": 2.0, "read_ms": 1.0, "error": None},
        "warming": {"done": 2, "of": 5},
        "disk_full": True,
    }
    server.status = 503
    found = asked(AskApi, server)
    assert (found.pid, found.answered, found.status, found.disk_full) == (7, True, "starting", True)
    assert found.canary == CanaryView(True, 3.5, None, 2.0, 1.0)
    assert found.warming == Warming(2, 5)
    assert not found.ready
    server.body = {"status": "ok"}
    again = asked(AskApi, server, found)
    assert again.ready
    assert again.disk_full, "a full disk is remembered for as long as the process lives"


@pytest.mark.parametrize("body", [b"", b"hello", b"[1]", {"status": 5}, {}])
def test_an_answer_that_is_not_the_apis_is_never_ready(server: FakeServer, body: Any) -> None:
    server.body = body
    assert not asked(AskApi, server).ready


@pytest.mark.parametrize(
    ("status", "body", "ready", "said"),
    [(200, b"fine", True, "ok"), (204, b"", True, "ok"), (503, {"status": "starting"}, False, "starting")],
)
def test_any_answer_of_success_will_do_for_a_server_without_a_store(
    server: FakeServer, status: int, body: Any, ready: bool, said: str
) -> None:
    server.status, server.body = status, body
    found = asked(AskAny, server)
    assert (found.ready, found.status) == (ready, said)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("x", None),
        ({}, CanaryView(False, None)),
        ({"ok": "yes", "age_s": True, "error": "a\nb", "write_ms": "x"}, CanaryView(False, None, "a b")),
        ({"ok": True, "age_s": -1, "write_ms": float("inf")}, CanaryView(True, None)),
        ({"ok": True, "age_s": float("nan")}, CanaryView(True, None)),
    ],
)
def test_a_canary_that_makes_no_sense(given: object, expected: CanaryView | None) -> None:
    assert canary_of(given) == expected


@pytest.mark.parametrize("given", [None, 3, {}, {"done": 1}, {"done": "1", "of": 2}])
def test_a_warm_up_that_makes_no_sense(given: object) -> None:
    assert warming_of(given) is None


class Slow:
    """An asker that waits until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[int | None] = []

    def ask(self, view: ServerView, publish: Publish) -> ServerView:
        self.asked.append(view.pid)
        publish(replace(view, status="starting"))
        self.go.wait(WAIT_S)
        return replace(view, answered=True, status="ok", asked_at_s=100.0, canary=CanaryView(True, 1.0))


def test_a_server_that_hangs_does_not_hold_up_who_looks() -> None:
    slow = Slow()
    watch = ServerWatch(slow)
    assert watch.view(None, 100.0) == ServerView(running=False)
    assert slow.asked == []
    start_s = time.monotonic()
    assert watch.view(7, 100.0) == ServerView(True, 7)
    until(lambda: watch.view(7, 100.0).status == "starting", "what is told in between")
    assert time.monotonic() - start_s < 1
    slow.go.set()
    until(lambda: watch.view(7, 100.0).ready, "the answer")
    watch.close()


def test_a_canary_goes_on_ageing_between_answers() -> None:
    slow = Slow()
    slow.go.set()
    watch = ServerWatch(slow)
    watch.view(7, 100.0)
    until(lambda: watch.view(7, 100.0).ready, "the answer")
    canary = watch.view(7, 160.0).canary
    assert canary is not None
    assert canary.age_s == pytest.approx(61)
    watch.close()


def test_the_answer_of_a_process_that_is_gone_is_dropped() -> None:
    slow = Slow()
    watch = ServerWatch(slow)
    watch.view(7, 100.0)
    until(lambda: slow.asked == [7], "the first question")
    assert watch.view(8, 100.0) == ServerView(True, 8)
    slow.go.set()
    until(lambda: slow.asked[:2] == [7, 8], "the question to the new process")
    until(lambda: watch.view(8, 100.0).ready, "its answer")
    assert watch.view(8, 100.0).pid == 8
    assert watch.view(None, 100.0) == ServerView(running=False)
    watch.close()
