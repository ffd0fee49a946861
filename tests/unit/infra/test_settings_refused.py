"""Every kind of wrong setting, and the whole message its reader gets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from infra.settings import SettingsError

REFUSED = yaml.safe_load((Path(__file__).parent / "refused_settings.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", REFUSED, ids=[case["set"].replace("\n", "") for case in REFUSED])
def test_a_wrong_setting_is_named_placed_and_answered_with_what_would_do(read, case):
    with pytest.raises(SettingsError) as refused:
        read(case["set"])
    assert [str(problem) for problem in refused.value.problems] == [case["says"].rstrip("\n")]


def test_the_table_is_long_enough_to_mean_something():
    assert len(REFUSED) >= 100


def test_everything_that_is_wrong_is_said_in_one_error(read):
    with pytest.raises(SettingsError) as refused:
        read(
            "cortex:platfrom: docker\n"
            "cortex:corpus:\n  vectors: 0\n  batch_rows: 5001\n  modle: custom\n"
            "cortex:health:\n  timeout_s: 20\n"
            "cortex:registry:\n  address: registry.example.com\n  username: ci\n"
            "cortex:access: 8080\n"
            "cortex:tokens:\n  search:\n    role: read\n    reach: [acme]\n    expires: soon\n    roll: read\n"
            "cortex:tls:\n  days: 0\n"
            "cortex:gateway:\n  connections_per_address: 5000\n"
            "cortex:api:\n  replicas: 2\n"
        )
    assert [(problem.path, problem.origin) for problem in refused.value.problems] == [
        ("platfrom", "Pulumi.dev.yaml:2"),
        ("corpus.modle", "Pulumi.dev.yaml:6"),
        ("corpus.vectors", "Pulumi.dev.yaml:4"),
        ("corpus.batch_rows", "Pulumi.dev.yaml:5"),
        ("access", "Pulumi.dev.yaml:12"),
        ("tokens.search.roll", "Pulumi.dev.yaml:18"),
        ("tokens.search.expires", "Pulumi.dev.yaml:17"),
        ("tls.days", "Pulumi.dev.yaml:20"),
        ("health.timeout_s", "Pulumi.dev.yaml:8"),
        ("api.replicas", "Pulumi.dev.yaml:24"),
        ("gateway.connections_per_address", "Pulumi.dev.yaml:22"),
        ("registry.password", "Pulumi.dev.yaml:9"),
    ]
    assert str(refused.value).splitlines()[0] == (
        "the settings of stack dev cannot be used (12 problems); nothing was changed"
    )


def test_one_problem_is_counted_as_one(read):
    with pytest.raises(SettingsError, match=r"cannot be used \(1 problem\); nothing was changed"):
        read("cortex:platform: moon")


@pytest.mark.parametrize(
    "keys",
    [
        "cortex:registry: hunter2",
        "cortex:registry: [hunter2]",
        "cortex:registry:\n  pasword: hunter2",
        "cortex:registry:\n  address: r\n  password: [hunter2]",
        "cortex:registry:\n  address: r\n  password:\n    secure: hunter2",
        "cortex:registry:\n  address: r\n  password: hunter2",
        "cortex:registry:\n  address: https://ci:hunter2@registry.example.com/team",
        "cortex:registry:\n  address: /\n  username: ci\n  password: hunter2",
        "cortex:tls: hunter2",
        "cortex:tls: [hunter2]",
        "cortex:tls:\n  gven: hunter2",
        "cortex:tls:\n  given: [hunter2]",
        "cortex:tls:\n  given:\n    secure: hunter2",
        "cortex:tls:\n  days: 0\n  given: hunter2",
    ],
)
def test_a_message_never_repeats_a_secret(read, keys):
    with pytest.raises(SettingsError) as refused:
        read(keys)
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in repr(refused.value.problems)


def test_settings_do_not_show_their_secret(read):
    settings = read("cortex:registry:\n  address: r\n  username: ci\n  password: hunter2")
    assert "hunter2" not in f"{settings!r} {settings}"
    assert settings.registry.password.get_secret_value() == "hunter2"
    settings = read("cortex:tls:\n  given: hunter2")
    assert "hunter2" not in f"{settings!r} {settings}"
    assert settings.tls.given.get_secret_value() == "hunter2"
