"""What each command runs, prints and exits with, on stand-ins for pulumi and docker."""

from __future__ import annotations

import json

import pytest

from ops import cli

OUTPUTS = {
    "url": "https://127.0.0.1:8443",
    "token": "t0ken",
    "tokens": {"admin": "t0ken", "search": "s3arch"},
    "authority": "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
    "container": "cortex-dev-api",
    "volume": "cortex-dev-store",
}
UP = ("stack output", json.dumps(OUTPUTS), 0)
# As a stack with a certificate of its own has them: an output that is None is left out, or empty.
GIVEN = {**OUTPUTS, "authority": None}
CONTAINERS = "cortex-dev-gateway\ncortex-dev-api-1-a1b2c3d\ncortex-dev-api-2-e4f5a6b\ncortex-dev-chroma\n"
THERE = (("status=running", CONTAINERS, 0), ("status=exited", "cortex-dev-api-3-0a1b2c3\n", 0), ("logs", "a line\n", 0))


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("url",), "https://127.0.0.1:8443\n"),
        (("token",), "t0ken\n"),
        (("token", "search"), "s3arch\n"),
        (("ca",), OUTPUTS["authority"]),
    ],
)
def test_url_token_and_certificate_print_only_that(command, programs, arguments, printed):
    programs.add("pulumi", UP)
    assert command(*arguments) == (0, printed, "")
    assert programs.calls == ["pulumi stack output --json --show-secrets --stack dev"]


def test_a_token_that_is_not_there_is_told_with_those_that_are(command, programs):
    programs.add("pulumi", UP)
    assert command("token", "serch") == (1, "", "error: stack dev has no token 'serch'; it has admin, search\n")


@pytest.mark.parametrize("outputs", [GIVEN, {key: value for key, value in OUTPUTS.items() if key != "authority"}])
def test_a_given_certificate_has_no_authority_to_print(command, programs, outputs):
    programs.add("pulumi", ("stack output", json.dumps(outputs), 0))
    code, out, err = command("ca")
    assert (code, out) == (1, "")
    assert err == "error: stack dev has a certificate that was given to it: who signed it is not known here\n"


@pytest.fixture
def becoming(monkeypatch):
    """What the process would have become."""
    commands = []
    monkeypatch.setattr(cli, "_become", lambda command, _environment: commands.append(command))
    return commands


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ([], "cortex-dev-api"),
        (["gateway"], "cortex-dev-gateway"),
        (["cortex-dev-gateway"], "cortex-dev-gateway"),
        (["chroma"], "cortex-dev-chroma"),
        (["api"], "cortex-dev-api-1-a1b2c3d"),
        (["api-2"], "cortex-dev-api-2-e4f5a6b"),
        (["api-3"], "cortex-dev-api-3-0a1b2c3"),  # stopped
    ],
)
def test_logs_are_of_the_store_s_server_or_of_the_container_that_was_named(command, programs, becoming, asked, shown):
    programs.add("pulumi", UP)
    programs.add("docker", *THERE)
    assert command("logs", *asked)[0] == 0
    assert command("logs", *asked, "--follow")[0] == 0
    assert becoming == [
        ["docker", "logs", "--tail", "200", shown],
        ["docker", "logs", "--tail", "200", "--follow", shown],
    ]


@pytest.mark.parametrize("wrong", ["gate", "ap", "api-", "prod"])
def test_logs_of_a_container_that_is_not_there_are_told_with_those_that_are(command, programs, becoming, wrong):
    programs.add("pulumi", UP)
    programs.add("docker", *THERE)
    code, out, err = command("logs", wrong)
    assert (code, out, becoming) == (1, "", [])
    assert err.startswith(f"error: stack dev has no container {wrong!r}; it has cortex-dev-api-1-a1b2c3d, cortex-dev-")
    programs.add("docker", ("ps --all", "", 0))
    assert "it has none\n" in command("logs", wrong)[2]


@pytest.mark.parametrize("name", ["url", "token", "ca", "status", "demo", "logs"])
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
    assert err == f"error: {arguments[1]!r} is not the stack's name; nothing was done\n"
    assert programs.calls == []


def test_purge_asks_for_the_name(command, programs):
    code, out, _ = command("purge", input="de\n")
    assert code == 1
    assert "This deletes all data of stack dev. Type its name" in out
    assert programs.calls == []


def test_purge_unprotects_destroys_and_removes_volume_and_state_in_this_order(command, programs):
    programs.add("pulumi", UP, ("", "", 0))
    programs.add("docker", ("volume rm", "", 0))
    assert command("purge", "--confirm", "dev")[0] == 0
    assert programs.calls == [
        "pulumi stack output --json --show-secrets --stack dev",  # whether there is a second host
        "pulumi state unprotect --all --yes --stack dev",
        "pulumi destroy --yes --skip-preview --stack dev",
        "docker volume rm --force cortex-dev-store",
        "pulumi stack rm --yes --preserve-config --stack dev",
    ]


def test_a_purge_that_fails_half_way_deletes_no_volume(command, programs):
    programs.add("pulumi", UP, ("unprotect", "", 0), ("destroy", "boom", 1))
    programs.add("docker")
    code, _, err = command("purge", "--confirm", "dev")
    assert code == 1
    assert "pulumi destroy failed (exit code 1)" in err
    assert not any("volume" in call for call in programs.calls)


def test_destroy_spares_what_is_protected(command, programs):
    programs.add("pulumi", ("stack output", "{}", 0), ("destroy", "", 0))
    code, _, err = command("destroy", "--stack", "prod")
    assert code == 0
    assert programs.calls == [
        "pulumi stack output --json --show-secrets --stack prod",  # whether there are backups
        "pulumi destroy --yes --skip-preview --exclude-protected --stack prod",
    ]
    assert "the store is kept in Docker volume cortex-prod-store" in err


def test_up_starts_what_was_stopped_and_tells_what_next(command, programs):
    programs.add("pulumi", UP, ("up --yes", "", 0))
    programs.add("docker", ("ps --all", "cortex-dev-api\ncortex-dev-gateway\n", 0), ("start", "", 0))
    code, out, err = command("up")
    assert (code, out) == (0, "")
    assert "docker start cortex-dev-api cortex-dev-gateway" in programs.calls
    assert programs.calls.index("docker start cortex-dev-api cortex-dev-gateway") < programs.calls.index(
        "pulumi up --yes --skip-preview --suppress-outputs --stack dev"
    )
    for shown in (
        "URL      https://127.0.0.1:8443",
        "`make token` prints it",
        "/v1/status",
        "`make demo`",
        "make -s ca > cortex-ca.pem",
        "curl -s --cacert cortex-ca.pem -H",
    ):
        assert shown in err
    assert "t0ken" not in out + err


def test_up_with_a_given_certificate_tells_of_no_other_to_trust(command, programs):
    programs.add("pulumi", ("stack output", json.dumps(GIVEN), 0), ("up --yes", "", 0))
    programs.add("docker", ("ps --all", "", 0))
    code, _, err = command("up")
    assert code == 0
    assert "curl -s -H" in err
    assert "cacert" not in err
    assert "make -s ca" not in err


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


def test_a_message_is_shown_as_it_is_brackets_and_all(command, programs, api):
    api.fail_with = 500
    programs.add("pulumi", ("stack output", json.dumps({"url": api.url, "token": api.token}), 0))
    code, _, err = command("demo", "--n", "3")
    assert code == 1
    assert "told to fail [red]now[/red]" in err
