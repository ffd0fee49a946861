from __future__ import annotations

import pickle

from infra.credentials import WordProvider

PROVIDER = WordProvider()


def test_a_word_is_random_and_url_safe():
    made = [PROVIDER.create({"name": "token-admin", "generation": 1}) for _ in range(3)]
    values = {result.outs["value"] for result in made}
    assert len(values) == 3
    assert all(len(value) == 43 and value.replace("-", "").replace("_", "").isalnum() for value in values)
    assert {result.id for result in made} == {"token-admin-1"}


def test_a_word_that_a_rebuilt_stack_had_is_taken_and_an_empty_one_is_made():
    props = {"name": "token-admin", "generation": 1}
    assert PROVIDER.create({**props, "given": "as-it-was"}).outs == {**props, "value": "as-it-was"}
    assert len(PROVIDER.create({**props, "given": ""}).outs["value"]) == 43
    kept = {**props, "value": "kept"}
    assert not PROVIDER.diff("token-admin-1", kept, {**props, "value": None, "given": "another"}).changes


def test_a_word_stays_until_its_generation_changes():
    old = {"name": "token-admin", "generation": 1.0, "value": "kept"}
    assert not PROVIDER.diff("token-admin-1", old, {"name": "token-admin", "generation": 1.0, "value": None}).changes
    changed = PROVIDER.diff("token-admin-1", old, {"name": "token-admin", "generation": 2.0})
    assert (changed.changes, changed.replaces, changed.delete_before_replace) == (True, ["generation"], False)


def test_a_token_of_an_earlier_version_stays():
    old = {"name": "admin", "generation": 1.0, "value": "kept"}
    assert not PROVIDER.diff("admin-1", old, {"name": "token-admin", "generation": 1.0, "value": None}).changes
    # As the state of such a stack names its provider.
    assert isinstance(pickle.loads(b"cinfra.credentials\nTokenProvider\n.")(), WordProvider)  # noqa: S301 - written above
