"""What `cortex tokens` tells of every token, and what it keeps to itself."""

from __future__ import annotations

import json

RIGHTS = {
    "admin": {"role": "admin", "generations": [1], "expires": None, "reach": []},
    "search": {"role": "read", "generations": [1, 2], "expires": "2027-01-31T00:00:00Z", "reach": ["acme/docs", "b"]},
}
OUTPUTS = {"url": "https://127.0.0.1:8443", "tokens": {"admin": "w0rd", "search": "w0rd"}, "rights": RIGHTS}


def test_each_is_told_without_its_word(command, programs):
    programs.add("pulumi", ("stack output", json.dumps(OUTPUTS), 0))
    code, out, _ = command("tokens")
    assert code == 0
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()}
    assert told["admin"] == "admin never everything 1"
    assert told["search"] == "read 2027-01-31T00:00:00Z acme/docs, b 1, 2"
    assert "w0rd" not in out
    code, out, _ = command("tokens", "--json")
    assert (code, json.loads(out)) == (0, RIGHTS)


def test_a_stack_that_is_not_up_says_what_to_do(command, programs):
    programs.add("pulumi", ("stack output", "{}", 0))
    code, out, err = command("tokens", "--stack", "prod")
    assert (code, out) == (1, "")
    assert "stack prod is not up: `make up STACK=prod` brings it up" in err
