"""What is taken from a backup: once, again only if it failed or another state is wanted, and secret in the state."""

from __future__ import annotations

import base64
import json

import dill
import pulumi
import pytest
from pulumi.dynamic.dynamic import serialize_provider

from infra import one_shot
from infra.restored import Restored, RestoreProvider
from tests.unit.infra.pulumi_recorder import in_clear, is_secret, known, record

PROVIDER = RestoreProvider()
CONTAINER = {"stack": "dev", "part": "recover", "image": "sha256:of-backup"}
PROPS = {"container": CONTAINER, "configuration": "the key", "wanted": "state --to latest", "printed": None}


def test_what_the_container_prints_is_kept_and_what_it_was_told_is_not(monkeypatch):
    ran = []
    monkeypatch.setattr(one_shot, "run", lambda *told: ran.append(told) or "printed by it")
    made = PROVIDER.create(PROPS)
    assert ran == [(CONTAINER, "the key")]
    assert (made.id, made.outs) == ("recover", {"wanted": "state --to latest", "printed": "printed by it"})


def test_what_failed_was_not_made_and_is_tried_again(monkeypatch):
    def fail(*_told: object) -> str:
        raise one_shot.OneShotError("the target does not answer")

    monkeypatch.setattr(one_shot, "run", fail)
    with pytest.raises(one_shot.OneShotError, match="the target does not answer"):
        PROVIDER.create(PROPS)


def test_only_another_state_is_taken_again():
    kept = {"wanted": "state --to latest", "printed": "what was printed"}
    other = {"container": {**CONTAINER, "image": "sha256:newer"}, "configuration": "another key"}
    assert not PROVIDER.diff("recover", kept, PROPS).changes
    assert not PROVIDER.diff("recover", kept, {**PROPS, **other}).changes
    found = PROVIDER.diff("recover", kept, {**PROPS, "wanted": "state --to 0123abcd"})
    assert (found.changes, found.replaces, found.delete_before_replace) == (True, ["wanted"], False)


def test_what_was_taken_is_never_undone(monkeypatch):
    def touched(*_told: object) -> str:
        raise AssertionError

    monkeypatch.setattr(one_shot, "run", touched)
    PROVIDER.delete("restore", {"wanted": "restore --to latest", "printed": "a report"})


def test_the_provider_travels():
    packed = base64.b64decode(serialize_provider(PROVIDER))
    arrived = dill.loads(packed)  # noqa: S301 - packed one line above
    assert arrived.diff("recover", {"wanted": "a"}, {"wanted": "b"}).replaces == ["wanted"]


def test_what_it_reads_and_what_it_prints_are_secrets():
    made = []

    def program() -> None:
        taken = Restored("recover", CONTAINER, pulumi.Output.secret("hunter2"), "state --to latest")
        made.append(taken.secrets)

    recorded = record(program).one("pulumi-python:dynamic/cortex:Restored", "recover")
    assert list(recorded.request.additionalSecretOutputs) == ["printed"]
    assert is_secret(recorded.inputs["configuration"])
    assert "hunter2" not in json.dumps(in_clear(recorded.inputs))
    assert known(made[0], "is_secret")
    assert known(made[0])["token-admin-1"] == "token-admin-1-of-the-backup"
