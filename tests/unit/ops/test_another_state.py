from __future__ import annotations

import pytest

from tools import stack_state


@pytest.fixture(autouse=True)
def new_to_this_state(command, monkeypatch):
    monkeypatch.setattr(stack_state, "ensure_stack", lambda _name, _environment: True)


def test_a_stack_that_another_state_made_is_left_alone(command, programs):
    programs.add("pulumi", ("stack output", "{}", 0), ("stack rm", "", 0))
    programs.add("docker", ("status=running", "cortex-dev-gateway\n", 0), ("status=exited", "cortex-dev-api\n", 0))
    code, _, err = command("up")
    assert code == 1
    assert "this state knows nothing of: cortex-dev-gateway, cortex-dev-api" in err
    assert "CORTEX_STATE_DIR" in err
    assert "docker rm --force cortex-dev-gateway cortex-dev-api" in err
    # The next try finds the stack as new as this one did.
    assert programs.calls[-1] == "pulumi stack rm --yes --preserve-config --stack dev"
    assert not any(call.startswith(("docker start", "pulumi up")) for call in programs.calls)


def test_a_new_stack_that_nobody_made_goes_up(command, programs):
    programs.add("pulumi", ("stack output", "{}", 0), ("up --yes", "", 3))
    programs.add("docker", ("ps", "", 0))
    code, _, _ = command("up")
    assert code == 3
    assert "pulumi up --yes --skip-preview --suppress-outputs --stack dev" in programs.calls
