from __future__ import annotations

import hashlib
import json

from infra.credentials import TokenProvider
from infra.plan import Token
from infra.platforms.docker.secret_files import token_hashes
from infra.vocabulary import Role

PROVIDER = TokenProvider()


def test_a_token_is_random_and_url_safe():
    made = [PROVIDER.create({"name": "admin", "generation": 1}) for _ in range(3)]
    values = {result.outs["value"] for result in made}
    assert len(values) == 3
    assert all(len(value) == 43 and value.replace("-", "").replace("_", "").isalnum() for value in values)
    assert {result.id for result in made} == {"admin-1"}


def test_a_token_stays_until_its_generation_or_name_changes():
    old = {"name": "admin", "generation": 1.0, "value": "kept"}
    assert not PROVIDER.diff("admin-1", old, {"name": "admin", "generation": 1.0, "value": None}).changes
    assert PROVIDER.diff("admin-1", old, {"name": "admin", "generation": 2.0}).replaces == ["generation"]
    renamed = PROVIDER.diff("admin-1", old, {"name": "reader", "generation": 1.0})
    assert (renamed.changes, renamed.replaces, renamed.delete_before_replace) == (True, ["name"], False)


def test_the_token_file_holds_hashes_only():
    text = token_hashes([Token("admin", Role.ADMIN, 1), Token("web", Role.READ, 1)], ["one", "two"])
    assert json.loads(text) == [
        {"name": "admin", "role": "admin", "sha256": hashlib.sha256(b"one").hexdigest()},
        {"name": "web", "role": "read", "sha256": hashlib.sha256(b"two").hexdigest()},
    ]
    assert "one" not in text
