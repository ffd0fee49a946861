"""What the endpoints say about a made-up state, and that a client cannot hold them up."""

import http.client
import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from healthcheck.actions import Phase
from healthcheck.board import Board, Snapshot, Writable
from healthcheck.endpoints import Answer, Endpoints, answer
from healthcheck.judgement import Judgement, Verdict
from healthcheck.metrics import render
from healthcheck.notebook import Notes
from healthcheck.observation import MemoryView, Observation, ServerView
from healthcheck.output import Log

from healthcheck import state_file

NOW_S = 1000.0
FULL = Judgement("disk", 91.0, 80.0, "%", Verdict.DEGRADED, "free some room")


def state(**changes: object) -> Snapshot:
    fields = {
        "at_s": NOW_S,
        "phase": Phase.SERVING,
        "message": "",
        "observation": None,
        "judgements": (FULL,),
        "writable": Writable(),
        "ready": True,
        "ready_once": True,
        "live_limit_s": 5.0,
        **changes,
    }
    return Snapshot(**fields)


def says(target: str, turned_s: float = NOW_S - 1, **changes: object) -> Answer:
    return answer(target, state(**changes), turned_s, NOW_S, lambda: "metrics")


def test_alive_whatever_is_wrong_while_the_loop_turns() -> None:
    assert says("/livez", ready=False, phase=Phase.FENCED, writable=Writable(ok=False)).status == 200
    assert says("/livez", turned_s=NOW_S - 5.1).status == 503


def test_ready_only_when_the_server_serves() -> None:
    assert says("/readyz").status == 200
    found = says("/readyz", ready=False, phase=Phase.WARMING, message="3 of 7 indexes")
    assert (found.status, found.text) == (503, "not ready: warming\n")
    assert says("/readyz", turned_s=NOW_S - 6).status == 503


def test_a_crossed_threshold_does_not_take_readiness_away() -> None:
    found = says("/readyz?verbose")
    assert found.status == 200
    assert found.text.splitlines() == ["ready", "phase: serving", FULL.as_line()]


def test_verbose_tells_what_the_phase_is_busy_with() -> None:
    assert "phase: warming: 3 of 7" in says("/livez?verbose=1", phase=Phase.WARMING, message="3 of 7").text


def test_started_once_is_started() -> None:
    assert says("/startupz", ready=False).status == 200
    assert says("/startupz", ready=False, ready_once=False).status == 503


def test_writable() -> None:
    assert says("/writable").status == 200
    found = says("/writable", writable=Writable(ok=False, reason="the disk is full", retry_after_s=30))
    assert (found.status, found.headers) == (507, {"Retry-After": "30"})
    assert "the disk is full" in found.text


def test_nothing_else() -> None:
    assert says("/metrics").text == "metrics"
    for target in ("/", "/stop", "/livez/", "//livez", "?", ""):
        assert says(target).status == 404


@pytest.fixture
def endpoints():
    found = Endpoints(("127.0.0.1", 0), lambda target: answer(target, state(), NOW_S, NOW_S, lambda: "m"))
    found.start()
    return found


def test_over_a_socket(endpoints: Endpoints) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", endpoints.port, timeout=5)
    for _ in range(2):  # the connection is kept
        connection.request("GET", "/readyz")
        reply = connection.getresponse()
        assert (reply.status, reply.read(), reply.headers["Server"]) == (200, b"ready\n", "cortex-guard")
    connection.request("HEAD", "/livez")
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, b"")
    connection.request("POST", "/livez")
    assert connection.getresponse().status == 501
    connection.close()


def test_clients_that_say_nothing_hold_nobody_up(endpoints: Endpoints) -> None:
    silent = [socket.create_connection(("127.0.0.1", endpoints.port)) for _ in range(20)]
    connection = http.client.HTTPConnection("127.0.0.1", endpoints.port, timeout=3)
    connection.request("GET", "/livez")
    assert connection.getresponse().status == 200
    connection.close()
    for each in silent:
        each.close()


def test_a_flood_of_clients_is_cut_and_then_served_again(endpoints: Endpoints) -> None:
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", endpoints.port)) for _ in range(60)]
    deadline_s = time.monotonic() + 5
    while threading.active_count() - before < 32 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert threading.active_count() - before <= 32
    for each in silent:
        each.close()
    while threading.active_count() > before and time.monotonic() < deadline_s:
        time.sleep(0.01)
    connection = http.client.HTTPConnection("127.0.0.1", endpoints.port, timeout=3)
    connection.request("GET", "/livez")
    assert connection.getresponse().status == 200
    connection.close()


def board(tmp_path: Path) -> Board:
    return Board(str(tmp_path / "deep/health.json"), 1.0, Log("", descriptor=os.open(os.devnull, os.O_WRONLY)))


def seen(*, ready: bool = True) -> Observation:
    server = ServerView(running=True, pid=7, answered=True, status="ok" if ready else "starting")
    return Observation(NOW_S, 2000.0, server, memory=MemoryView(1, 2, "container"), memory_kills=3)


def published(tmp_path: Path) -> dict[str, object]:
    return json.loads(state_file.read(str(tmp_path / "deep/health.json")))


def test_the_state_file_is_what_was_agreed(tmp_path: Path) -> None:
    shown = board(tmp_path)
    shown.enter(Phase.SERVING)
    shown.show(seen(), (FULL,))
    shown.did("restart", "planned", "done", 1.5)
    shown.set_writable(Writable(ok=False, reason="full", retry_after_s=9))
    found = published(tmp_path)
    assert found["version"] == 1
    assert abs(time.monotonic() - float(str(found["at_s"]))) < 2
    assert (found["phase"], found["verdict"], found["ready"], found["live"]) == ("serving", "degraded", True, True)
    assert found["writable"] == {"ok": False, "reason": "full", "retry_after_s": 9}
    assert found["judgements"] == [FULL.as_dict()]
    (action,) = found["actions"]  # type: ignore[misc]
    assert (action["action"], action["reason"], action["outcome"], action["took_s"]) == (
        "restart",
        "planned",
        "done",
        1.5,
    )
    assert found["server"] == {"pid": None, "starts": 0, "since": None}


def test_ready_needs_both_the_phase_and_the_server(tmp_path: Path) -> None:
    shown = board(tmp_path)
    shown.show(seen(), ())
    assert not shown.snapshot.ready
    shown.enter(Phase.SERVING)
    assert shown.snapshot.ready
    shown.show(seen(ready=False), ())
    assert (shown.snapshot.ready, shown.snapshot.ready_once) == (False, True)


def test_every_publication_has_its_time_and_only_the_last_twenty_actions(tmp_path: Path) -> None:
    shown = board(tmp_path)
    times = []
    for number in range(25):
        shown.did("scrub", str(number), "done", 0)
        shown.publish()
        times.append(published(tmp_path)["at_s"])
    assert times == sorted(times)
    assert [action["reason"] for action in published(tmp_path)["actions"]] == [str(n) for n in range(5, 25)]  # type: ignore[attr-defined]


def test_a_state_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("in the way")
    board(tmp_path).publish()


def test_metrics(tmp_path: Path) -> None:
    shown = board(tmp_path)
    shown.enter(Phase.SERVING)
    shown.show(seen(), (FULL,))
    shown.did("scrub", "due", "found: 3 findings", 1)
    text = render(shown, Notes(), 2)
    for line in (
        "cortex_ready 1.0",
        'cortex_phase{phase="serving"} 1.0',
        'cortex_judgement_value{judgement="disk",unit="%"} 91.0',
        'cortex_judgement_limit{judgement="disk",unit="%"} 80.0',
        'cortex_judgement_verdict{judgement="disk"} 2.0',
        'cortex_actions_total{action="scrub",outcome="found"} 1.0',
        "cortex_memory_limit_bytes 2.0",
        "cortex_memory_kills_total 3.0",
        'cortex_last_end{end="never"} 1.0',
        "cortex_guard_log_lines_dropped_total 2.0",
    ):
        assert line in text.splitlines(), line
    assert "cortex_guard_resident_memory_bytes" in text
