"""Nobody notices: no request fails while tokens, replicas and containers come and go. All of it: bench-continuity."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.continuity_events import Scene, accepts, replica_ids, replica_killed
from tests.bench.mixed_load import MixedLoad
from tests.deploy.deployment import Deployment, wait_for

CALLERS = 4
BEFORE_AND_AFTER = 20
"""Requests."""


@pytest.fixture
def scene(client_server: Deployment, tmp_path: Path) -> Iterator[Scene]:
    """The stack under load; at the end every acknowledged write is read back."""
    client_server.wait_healthy()
    name = f"load-{secrets.token_hex(4)}"
    load = MixedLoad(client_server.output("url"), client_server.trust(), client_server.token("writer"), name, CALLERS)
    load.prepare(client_server.token())
    load.start()
    try:
        yield Scene(client_server, load, tmp_path)
    finally:
        load.stop()
    assert load.acknowledged() > 0
    assert load.lost() == []
    with client_server.client() as client:
        client.delete(f"/v1/collections/{name}").raise_for_status()


def more_answers(scene: Scene) -> None:
    ended = len(scene.load.done)
    wait_for(lambda: len(scene.load.done) > ended + BEFORE_AND_AFTER, "further answers", 60)


def test_no_request_fails_while_tokens_and_replicas_change_and_a_replica_dies(scene: Scene) -> None:
    began_s, stack = time.monotonic(), scene.stack
    tokens, former = stack.settings["tokens"], scene.load.token
    (generation,) = tokens["writer"].get("generations", [1])
    more_answers(scene)

    # A further replica and a further word.
    both = {**tokens["writer"], "generations": [generation, generation + 1]}
    stack.set({"api": {"replicas": 3}, "tokens": {**tokens, "writer": both}})
    stack.up()
    new = stack.token("writer")
    wait_for(lambda: accepts(stack, new), "the new word to be accepted", 30)
    # A connection that was open before is served by the former list until its next answer.
    answered = scene.load.answered()
    wait_for(lambda: scene.load.everyone_answered_since(answered), "an answer for each caller", 60)
    scene.load.token = new
    assert len(replica_ids(stack)) == 3
    replica_killed(scene)
    stack.wait_healthy()

    # One replica less, and the former word removed.
    stack.set({"api": {}, "tokens": {**tokens, "writer": {**both, "generations": [generation + 1]}}})
    stack.up()
    wait_for(lambda: not accepts(stack, former), "the former word to be refused", 30)
    assert len(replica_ids(stack)) == 2
    stack.wait_healthy()
    more_answers(scene)

    requests = scene.load.between(began_s, time.monotonic())
    assert [f"{each.kind} after {each.took_s:.2f} s: {each.wrong}" for each in requests if each.wrong] == []
    assert {each.kind.split()[0] for each in requests} == {"native", "/v1"}
