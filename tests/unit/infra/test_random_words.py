from __future__ import annotations

from infra.credentials import WordProvider

PROVIDER = WordProvider()


def test_a_word_is_random_and_url_safe():
    made = [PROVIDER.create({"name": "token-admin", "generation": 1}) for _ in range(3)]
    values = {result.outs["value"] for result in made}
    assert len(values) == 3
    assert all(len(value) == 43 and value.replace("-", "").replace("_", "").isalnum() for value in values)
    assert {result.id for result in made} == {"token-admin-1"}


def test_a_word_stays_until_its_generation_or_name_changes():
    old = {"name": "token-admin", "generation": 1.0, "value": "kept"}
    assert not PROVIDER.diff("token-admin-1", old, {"name": "token-admin", "generation": 1.0, "value": None}).changes
    assert PROVIDER.diff("token-admin-1", old, {"name": "token-admin", "generation": 2.0}).replaces == ["generation"]
    renamed = PROVIDER.diff("token-admin-1", old, {"name": "token-reader", "generation": 1.0})
    assert (renamed.changes, renamed.replaces, renamed.delete_before_replace) == (True, ["name"], False)
