"""The stack's own state is read while the engine writes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from infra import standing

VOLUME = "urn:pulumi:s::cortex::cortex:docker:Stack$cortex:docker:Store$docker:index/volume:Volume::store"
STATE = SimpleNamespace(value={"outputs": {VOLUME: {"type": "docker:index/volume:Volume", "outputs": {}}}})
HALF_WRITTEN = Exception("readStackResourceOutputs returned an error: failed to load checkpoint: EOF")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the engine answers, one after the other."""
    given: list[Any] = []

    def invoke(_token: str, _arguments: dict[str, str]) -> Any:
        answer = given.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(standing.pulumi.runtime, "invoke", invoke)
    return given


def test_a_state_that_is_being_written_is_read_again(answers: list[Any]) -> None:
    pauses: list[float] = []
    answers += [HALF_WRITTEN, HALF_WRITTEN, STATE]
    assert standing.read(pauses.append) == standing.Standing(store=True)
    assert len(pauses) == 2


def test_a_state_that_stays_unreadable_ends_the_wait(answers: list[Any]) -> None:
    answers += [HALF_WRITTEN] * 1_000
    with pytest.raises(Exception, match="failed to load checkpoint"):
        standing.read(lambda _: None)


def test_other_errors_are_not_waited_for(answers: list[Any]) -> None:
    answers += [Exception("no such stack"), STATE]
    with pytest.raises(Exception, match="no such stack"):
        standing.read(lambda _: None)
