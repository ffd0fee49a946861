"""Tokens as lines of the gateway's maps, and what cannot be one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.gateway.tokens import GatewayToken, Reach, hashed, reach_map, token_map
from infra.vocabulary import Role

HASH = hashed("a-token")


def test_a_line_has_hash_role_name_end_and_limit():
    tokens = [
        GatewayToken("app", Role.WRITE, HASH),
        GatewayToken("guest", Role.READ, hashed("b"), datetime(2027, 1, 31, tzinfo=UTC), (Reach("t"),)),
    ]
    assert token_map(tokens) == (f"{HASH} write|app|0|unlimited\n{hashed('b')} read|guest|{1801353600}|limited\n")
    assert "a-token" not in token_map(tokens)


def test_what_a_limited_token_reaches():
    reaches = (Reach("t", "one"), Reach("t", "two words"), Reach("other"), Reach("it's", "*"))
    assert reach_map([GatewayToken("app", Role.READ, HASH, None, reaches)]).split(" 1\n") == [
        "app:t/",
        "app:t/one",
        "app:t/two%20words",
        "app:other/",
        "app:other/*",
        # Two clients spell it in two ways; a database called `*` is not the mark for all of them.
        "app:it%27s/",
        "app:it%27s/%2A",
        "app:it's/",
        "app:it's/%2A",
        "",
    ]


def test_two_generations_of_a_token_share_its_limits():
    old, new = (GatewayToken("app", Role.READ, hashed(each), None, (Reach("t"),)) for each in "ab")
    assert reach_map([old, new]) == reach_map([old])
    with pytest.raises(ValueError, match="different limits"):
        reach_map([old, GatewayToken("app", Role.READ, hashed("c"))])


@pytest.mark.parametrize("name", ["", "a b", "a|b", "a:b", "a\nb", "ä", "-a", "x" * 64])
def test_a_name_that_would_change_the_line_is_refused(name):
    with pytest.raises(ValueError, match="token name"):
        GatewayToken(name, Role.READ, HASH)


@pytest.mark.parametrize("value", ["", "a-token", HASH.upper(), HASH[:-1], HASH + "\n"])
def test_only_a_hash_is_taken_for_a_hash(value):
    with pytest.raises(ValueError, match="hash"):
        GatewayToken("app", Role.READ, value)


def test_an_end_has_a_time_zone():
    with pytest.raises(ValueError, match="time zone"):
        GatewayToken("app", Role.READ, HASH, datetime(2027, 1, 31))  # noqa: DTZ001


@pytest.mark.parametrize("tenant", ["..", "a/b", "a%b", "a\nb", "a\\b"])
def test_a_limit_that_no_path_can_name_is_refused(tenant):
    with pytest.raises(ValueError, match="cannot stand in a path"):
        reach_map([GatewayToken("app", Role.READ, HASH, None, (Reach(tenant),))])
