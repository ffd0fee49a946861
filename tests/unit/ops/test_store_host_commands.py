"""Commands on a stack with a second Docker host: each container is asked for on its own."""

from __future__ import annotations

import json
import sys

import pytest

from ops import stack as stacks
from ops.errors import StackError
from ops.stack import Stack

OUTPUTS = {
    "url": "https://127.0.0.1:8443",
    "container": "cortex-dev-chroma",
    "store_host": {"docker": "ssh://db1", "ssh_options": ["-v"]},
    "store_host_tls": {},
}
HERE = ["cortex-dev-api-1-a1b2c3d", "cortex-dev-gateway"]
THERE = ["cortex-dev-chroma", "cortex-dev-door"]


@pytest.fixture
def docker(programs, tmp_path, monkeypatch):
    """A docker command that tells whom it talks to; `far` says what of the settings names the other host."""
    program = programs.folder / "docker"
    program.write_text(
        f"#!{sys.executable} -IS\n"
        "import os, sys\n"
        "far = os.environ.get('DOCKER_HOST', '')\n"
        "said = ' '.join(sys.argv[1:])\n"
        f"open({str(programs.folder / 'calls')!r}, 'a').write((far or 'here') + ' ' + said + '\\n')\n"
        "if far == 'ssh://down': sys.exit('cannot connect')\n"
        f"if 'status=running' in said: print(*({THERE!r} if far else {HERE!r}), sep='\\n')\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  cortex:store_host:\n    docker: ssh://db1\n")
    monkeypatch.setattr(stacks, "ROOT", tmp_path)
    return programs


def asked(docker) -> list[str]:
    return [call for call in docker.calls if not call.startswith("pulumi") and " ps " not in call]


def test_containers_of_both_hosts_are_found_and_stopped_where_they_are(docker):
    docker.add("pulumi", ("stack output", json.dumps(OUTPUTS), 0))
    stack = Stack("dev", docker.environment)
    assert stack.parts() == sorted([*HERE, *THERE])
    assert stack.stop() == [*HERE, *THERE]
    assert asked(docker) == [f"here stop {' '.join(HERE)}", f"ssh://db1 stop {' '.join(THERE)}"]
    assert stack.container("door") == "cortex-dev-door"
    assert stack.host_of("cortex-dev-door").endpoint.docker == "ssh://db1"
    assert stack.host_of("cortex-dev-gateway").endpoint is None


def test_before_the_first_deployment_has_ended_the_settings_tell(docker):
    place = {"docker": "ssh://db2", "address": "10.0.0.5"}
    docker.add("pulumi", ("stack output", "{}", 0), ("config get", json.dumps({"value": json.dumps(place)}), 0))
    stack = Stack("dev", docker.environment)
    assert stack.hosts()[1].endpoint.docker == "ssh://db2"


def test_settings_that_cannot_be_used_lead_nowhere(docker):
    docker.add("pulumi", ("stack output", "{}", 0), ("config get", json.dumps({"value": "{}"}), 0))
    assert len(Stack("dev", docker.environment).hosts()) == 1


def test_without_the_group_nobody_is_asked_for_it(docker, tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    stack = Stack("dev", docker.environment)
    assert stack.containers(running=True) == HERE
    assert not [call for call in docker.calls if call.startswith("pulumi")]
    docker.add("pulumi", ("stack output", json.dumps(OUTPUTS), 0))
    assert len(stack.hosts(deployed=True)) == 2


def test_a_host_that_is_down_is_named(docker):
    outputs = {**OUTPUTS, "store_host": {"docker": "ssh://down", "ssh_options": []}}
    docker.add("pulumi", ("stack output", json.dumps(outputs), 0))
    with pytest.raises(StackError, match="docker ps failed on ssh://down: cannot connect"):
        Stack("dev", docker.environment).containers(running=True)
