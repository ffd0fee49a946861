"""What each command runs, prints and exits with, on stand-ins for pulumi and docker."""

from __future__ import annotations

import json

import pytest

from ops import cli

OUTPUTS = json.dumps(
    {"url": "http://127.0.0.1:8080", "token": "t0ken", "container": "cortex-dev-api", "volume": "cortex-dev-store"}
)
UP = ("stack output", OUTPUTS, 0)
HEALTHY = [{"State": {"Status": "running", "Health": {"Status": "healthy"}}, "RestartCount": 0}]
JUDGED = {
    "phase": "serving",
    "phase_message": "",
    "writable": {"ok": True, "reason": ""},
    "judgements": [{"name": "memory", "verdict": "ok", "message": "40 % of 788 MiB [limit]"}],
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


@pytest.mark.parametrize(("name", "printed"), [("url", "http://127.0.0.1:8080\n"), ("token", "t0ken\n")])
def test_url_and_token_print_only_that(command, programs, name, printed):
    programs.add("pulumi", UP)
    assert command(name) == (0, printed, "")
    assert programs.calls == ["pulumi stack output --json --show-secrets --stack dev"]


@pytest.mark.parametrize("name", ["url", "token", "status", "demo", "logs"])
@pytest.mark.parametrize(
    "answer", [("stack output", "{}", 0), ("stack output", "error: no stack named 'dev' found", 6)]
)
def test_a_stack_that_is_not_up_says_so_on_standard_error(command, programs, name, answer):
    programs.add("pulumi", answer)
    assert command(name) == (1, "", "error: stack dev is not up: `make up` brings it up\n")


def test_pulumis_own_refusal_is_passed_on_with_its_exit_code(command, programs):
    programs.add("pulumi", ("stack output", "error: [wrong] passphrase", 3))
    assert command("url") == (3, "", "error: pulumi stack failed: error: [wrong] passphrase\n")


@pytest.mark.parametrize("arguments", [("--confirm", "prod"), ("--confirm", ""), ("--confirm", "DEV")])
def test_purge_refuses_a_wrong_name_and_runs_nothing(command, programs, arguments):
    code, out, err = command("purge", *arguments)
    assert (code, out) == (1, "")
    assert err == f"error: {arguments[1]!r} is not the stack's name; nothing was removed\n"
    assert programs.calls == []


def test_purge_asks_for_the_name(command, programs):
    code, out, _ = command("purge", input="de\n")
    assert code == 1
    assert "This deletes all data of stack dev. Type its name" in out
    assert programs.calls == []


def test_purge_unprotects_destroys_and_removes_volume_and_state_in_this_order(command, programs):
    programs.add("pulumi", ("", "", 0))
    programs.add("docker", ("volume rm", "", 0))
    assert command("purge", "--confirm", "dev")[0] == 0
    assert programs.calls == [
        "pulumi state unprotect --all --yes --stack dev",
        "pulumi destroy --yes --skip-preview --stack dev",
        "docker volume rm --force cortex-dev-store",
        "pulumi stack rm --yes --preserve-config --stack dev",
    ]


def test_a_purge_that_fails_half_way_deletes_no_volume(command, programs):
    programs.add("pulumi", ("unprotect", "", 0), ("destroy", "boom", 1))
    programs.add("docker")
    code, _, err = command("purge", "--confirm", "dev")
    assert code == 1
    assert "pulumi destroy failed (exit code 1)" in err
    assert not any("volume" in call for call in programs.calls)


def test_destroy_spares_what_is_protected(command, programs):
    programs.add("pulumi", ("destroy", "", 0))
    code, _, err = command("destroy", "--stack", "prod")
    assert code == 0
    assert programs.calls == ["pulumi destroy --yes --skip-preview --exclude-protected --stack prod"]
    assert "the store is kept in Docker volume cortex-prod-store" in err


def test_up_starts_what_was_stopped_and_tells_what_next(command, programs):
    programs.add("pulumi", UP, ("up --yes", "", 0))
    programs.add("docker", ("ps --all", "cortex-dev-api\n", 0), ("start", "", 0))
    code, out, err = command("up")
    assert (code, out) == (0, "")
    assert "docker start cortex-dev-api" in programs.calls
    assert programs.calls.index("docker start cortex-dev-api") < programs.calls.index(
        "pulumi up --yes --skip-preview --suppress-outputs --stack dev"
    )
    for shown in ("URL      http://127.0.0.1:8080", "`make token` prints it", "/v1/status", "`make demo`"):
        assert shown in err
    assert "t0ken" not in out + err


def test_a_failed_up_shows_the_servers_last_lines_and_passes_the_exit_code_on(command, programs):
    programs.add("pulumi", ("up --yes", "", 255))
    programs.add(
        "docker",
        ("status=running", "cortex-dev-api\n", 0),
        ("status=exited", "", 0),
        ("logs", "store is locked [by] another process\n", 0),
    )
    code, _, err = command("up")
    assert code == 255
    assert "last lines of cortex-dev-api:" in err
    assert "store is locked [by] another process" in err
    assert "error: pulumi up failed (exit code 255)" in err


def test_a_preview_that_must_be_empty_passes_pulumis_seven_on(command, programs):
    programs.add("pulumi", ("preview --expect-no-changes", "", 7), ("preview", "", 0))
    assert command("preview")[0] == 0
    assert command("preview", "--expect-no-changes")[0] == 7


def test_settings_are_left_to_the_program_to_check(programs):
    stack = cli.Stack("dev", programs.environment)
    assert stack.environment["PULUMI_OPTION_SKIP_CONFIG_VALIDATION"] == "true"


def test_down_stops_what_runs_and_keeps_everything(command, programs):
    programs.add("docker", ("ps --all", "cortex-dev-api\n", 0), ("stop", "", 0))
    code, _, err = command("down")
    assert code == 0
    assert programs.calls[-1] == "docker stop cortex-dev-api"
    assert "the data is kept" in err
    programs.add("docker", ("ps --all", "", 0))
    assert "nothing was running" in command("down")[2]


def test_status_is_zero_when_healthy_and_shows_the_judgements(command, programs):
    programs.add("pulumi", UP)
    programs.add("docker", ("inspect", json.dumps(HEALTHY), 0), ("exec", json.dumps(JUDGED), 0))
    code, out, _ = command("status")
    assert code == 0
    assert "stack dev  http://127.0.0.1:8080  volume cortex-dev-store" in out
    assert "container cortex-dev-api  running  healthy  0 restarts" in out
    assert "guard  serving  writable" in out
    assert "40 % of 788 MiB [limit]" in out
    assert "2026-01-02T03:04:05Z  restart  planned [weekly]  ok  3.2 s" in out


def test_status_says_why_nothing_can_be_written_or_judged(command, programs):
    programs.add("pulumi", UP)
    closed = {**JUDGED, "writable": {"ok": False, "reason": "the disk is nearly full"}}
    programs.add("docker", ("inspect", json.dumps(HEALTHY), 0), ("exec", json.dumps(closed), 0))
    _, out, err = command("status")
    assert "guard  serving  not writable: the disk is nearly full" in out, err
    silent = {"verdict": "unknown", "problem": "the guard has published nothing"}
    programs.add("docker", ("inspect", json.dumps(HEALTHY), 0), ("exec", json.dumps(silent), 0))
    assert "guard  the guard has published nothing" in command("status")[1]


def test_status_is_one_when_unhealthy_or_stopped(command, programs):
    programs.add("pulumi", UP)
    unhealthy = [{"State": {"Status": "running", "Health": {"Status": "unhealthy"}}, "RestartCount": 1}]
    programs.add("docker", ("inspect", json.dumps(unhealthy), 0), ("exec", json.dumps(JUDGED), 0))
    code, out, _ = command("status")
    assert (code, "running  unhealthy  1 restart\n" in out) == (1, True)
    stopped = [{"State": {"Status": "exited"}, "RestartCount": 0}]
    programs.add("docker", ("inspect", json.dumps(stopped), 0))
    code, out, _ = command("status")
    assert code == 1
    assert "next: `make up` starts it" in out


def test_a_probe_that_says_nothing_usable_is_an_error(command, programs):
    programs.add("pulumi", UP)
    programs.add("docker", ("inspect", json.dumps(HEALTHY), 0), ("exec", "OCI runtime exec failed", 126))
    code, _, err = command("status")
    assert (code, "the probe of cortex-dev-api said nothing usable: OCI runtime exec failed" in err) == (1, True)


def test_a_message_is_shown_as_it_is_brackets_and_all(command, programs, api):
    api.fail_with = 500
    programs.add("pulumi", ("stack output", json.dumps({"url": api.url, "token": api.token}), 0))
    code, _, err = command("demo", "--n", "3")
    assert code == 1
    assert "told to fail [red]now[/red]" in err
