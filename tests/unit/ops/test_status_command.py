"""What `cortex status` shows of every container, and what it exits with, on stand-ins for pulumi and docker."""

from __future__ import annotations

import json

import pytest

OUTPUTS = {
    "url": "https://127.0.0.1:8443",
    "token": "t0ken",
    "container": "cortex-dev-chroma",
    "volume": "cortex-dev-store",
    "certificate_ends": "2030-01-02T03:04:05+00:00",
}
UP = ("stack output", json.dumps(OUTPUTS), 0)
RUNNING = ("status=running", "cortex-dev-gateway\ncortex-dev-api-1-a1b2c3d\ncortex-dev-chroma\n", 0)
NONE_STOPPED = ("status=exited", "", 0)
HEALTHY = [{"State": {"Status": "running", "Health": {"Status": "healthy"}}, "RestartCount": 0}]
JUDGED = {
    "phase": "serving",
    "phase_message": "",
    "writable": {"ok": True, "reason": ""},
    "judgements": [
        {"name": "memory", "verdict": "ok", "value": 40.25, "unit": "%", "message": "of 788 MiB [limit]"},
        {"name": "index_lag", "verdict": "ok", "value": 1201.0, "unit": "rows", "message": "not saved yet"},
        {"name": "clock", "verdict": "ok", "value": None, "unit": "", "message": "was not set lately"},
    ],
    "actions": [
        {
            "at": "2026-01-02T03:04:05Z",
            "action": "restart",
            "reason": "planned [weekly]",
            "outcome": "ok",
            "took_s": 3.25,
        }
    ],
}


OTHERS = {**JUDGED, "judgements": [{"name": "server", "verdict": "ok", "message": "answered in 2 ms"}], "actions": []}


def inspected(health="healthy", restarts=0, status="running"):
    """What `docker inspect` says of one container."""
    return json.dumps([{"State": {"Status": status, "Health": {"Status": health}}, "RestartCount": restarts}])


@pytest.fixture
def up(programs):
    """A stack with three containers: makes each say and be what a test wants, by the part of its name."""
    programs.add("pulumi", UP)

    def on_docker(*answers):
        usual = (
            ("inspect", inspected(), 0),
            ("exec cortex-dev-chroma", json.dumps(JUDGED), 0),
            ("exec", json.dumps(OTHERS), 0),
            RUNNING,
            NONE_STOPPED,
        )
        programs.add("docker", *answers, *usual)

    return on_docker


def rows(out):
    """The table of containers: name → the other columns."""
    lines = [line.split() for line in out.splitlines()]
    return {line[0]: line[1:] for line in lines if line and line[0].startswith("cortex-dev-")}


def test_it_is_zero_when_all_are_healthy_and_shows_what_the_guard_of_the_store_says(command, up):
    up()
    code, out, _ = command("status")
    assert code == 0
    assert "stack dev  https://127.0.0.1:8443  volume cortex-dev-store" in out
    assert "certificate until 2030-01-02T03:04:05+00:00; `make up` renews it" in out
    assert rows(out) == {
        "cortex-dev-api-1-a1b2c3d": ["running", "healthy", "0"],
        "cortex-dev-chroma": ["running", "healthy", "0"],
        "cortex-dev-gateway": ["running", "healthy", "0"],
    }
    assert "guard  serving  writable" in out
    assert out.count("guard  ") == 1
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines() if line}
    assert told["memory"] == "ok 40.25 % of 788 MiB [limit]"
    assert told["index_lag"] == "ok 1,201 rows not saved yet"
    assert told["clock"] == "ok was not set lately"
    assert "2026-01-02T03:04:05Z  restart  planned [weekly]  ok  3.2 s" in out
    assert "answered in 2 ms" not in out  # of the others only what is wrong
    assert "next:" not in out


def test_it_is_one_object_for_programs(command, up):
    up()
    code, out, _ = command("status", "--json")
    told = json.loads(out)
    assert (code, told["well"], told["server"]) == (0, True, "cortex-dev-chroma")
    assert {key: told[key] for key in ("stack", "url", "volume")} == {
        "stack": "dev",
        "url": OUTPUTS["url"],
        "volume": OUTPUTS["volume"],
    }
    (server,) = (each for each in told["containers"] if each["name"] == told["server"])
    assert server["said"]["judgements"] == JUDGED["judgements"]
    assert "t0ken" not in out
    up(("inspect cortex-dev-gateway", inspected("unhealthy"), 0))
    code, out, _ = command("status", "--json")
    assert (code, json.loads(out)["well"]) == (1, False)


def test_nothing_is_said_of_the_end_of_a_given_certificate(command, programs, up):
    up()
    programs.add("pulumi", ("stack output", json.dumps({**OUTPUTS, "certificate_ends": None}), 0))
    code, out, _ = command("status")
    assert (code, "certificate until" in out) == (0, False)


def test_it_says_why_nothing_can_be_written_or_judged(command, up):
    closed = {**JUDGED, "writable": {"ok": False, "reason": "the disk is nearly full"}}
    up(("exec cortex-dev-chroma", json.dumps(closed), 0))
    _, out, err = command("status")
    assert "guard  serving  not writable: the disk is nearly full" in out, err
    silent = {"verdict": "unknown", "problem": "the guard has published nothing"}
    up(("exec cortex-dev-chroma", json.dumps(silent), 0))
    assert "guard  the guard has published nothing" in command("status")[1]


@pytest.mark.parametrize("ill", ["cortex-dev-chroma", "cortex-dev-gateway", "cortex-dev-api-1-a1b2c3d"])
def test_it_is_one_when_any_of_them_is_unhealthy(command, up, ill):
    up((f"inspect {ill}", inspected("unhealthy", 1), 0))
    code, out, _ = command("status")
    assert code == 1
    assert rows(out)[ill] == ["running", "unhealthy", "1"]
    assert sum(row == ["running", "healthy", "0"] for row in rows(out).values()) == 2


def test_it_is_one_when_one_is_stopped_and_tells_what_to_do(command, up):
    up(
        ("status=exited", "cortex-dev-api-2-e4f5a6b\n", 0),
        ("inspect cortex-dev-api-2", inspected("", status="exited"), 0),
    )
    code, out, _ = command("status")
    assert code == 1
    assert rows(out)["cortex-dev-api-2-e4f5a6b"] == ["exited", "0"]
    told = " ".join(out.split())
    assert told.endswith("next: `make up` starts what is stopped, `make logs CONTAINER=...` shows why it ended")


def test_it_is_one_when_the_store_s_server_is_stopped(command, up):
    up(
        ("status=running", "cortex-dev-gateway\n", 0),
        ("status=exited", "cortex-dev-chroma\n", 0),
        ("inspect cortex-dev-chroma", inspected("", status="exited"), 0),
    )
    code, out, _ = command("status")
    assert code == 1
    assert "guard  " not in out
    assert "next: `make up` starts what is stopped" in out


def test_a_server_that_is_gone_altogether_is_an_error(command, up):
    up(("status=running", "cortex-dev-gateway\n", 0), ("inspect cortex-dev-chroma", "no such object [it]", 1))
    code, _, err = command("status")
    assert (code, "docker inspect failed: no such object [it]" in err) == (1, True)


def test_what_the_guards_of_the_others_find_wrong_is_shown(command, up):
    wrong = {"judgements": [{"name": "certificate", "verdict": "degraded", "message": "6 days [left] until it ends"}]}
    up(
        ("exec cortex-dev-gateway", json.dumps({**OTHERS, **wrong}), 0),
        ("inspect cortex-dev-gateway", inspected("unhealthy"), 0),
    )
    code, out, _ = command("status")
    assert code == 1
    assert "cortex-dev-gateway  certificate  degraded  6 days [left] until it ends" in out


def test_a_probe_that_says_nothing_usable_is_an_error(command, up):
    up(("exec cortex-dev-chroma", "OCI runtime exec failed", 126))
    code, _, err = command("status")
    assert (code, "the probe of cortex-dev-chroma said nothing usable: OCI runtime exec failed" in err) == (1, True)
