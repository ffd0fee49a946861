from __future__ import annotations

import io

import pytest
from rich.console import Console

from ops.demo import show as demo
from ops.demo.client import Api
from ops.demo.texts import Source, Text
from ops.stack import StackError


@pytest.fixture
def shown():
    return Console(file=io.StringIO(), highlight=False, width=120)


@pytest.fixture
def source(monkeypatch):
    def of(*texts: str) -> None:
        made = tuple(Text(f"id-{number}", text, {"digest": str(hash(text))}) for number, text in enumerate(texts))
        monkeypatch.setattr(demo, "collect", lambda count: Source("made up", made[:count], ("one?", "two?")))

    return of


def test_everything_is_written_once_and_searched(api, shown, source):
    source(*(f"text {number}" for number in range(450)))
    demo.run(Api(api.url, api.token, None), 450, shown)
    assert api.writes == [200, 200, 50]
    assert len(api.collections["demo"]) == 450
    assert api.collections["demo"]["id-7"]["text"] == "text 7"
    text = shown.file.getvalue()
    assert "450 texts: made up" in text
    assert "450 written" in text
    assert "the collection holds 450" in text
    assert text.count("?") == 2
    assert text.count("0.500") == 6


def test_a_second_run_writes_nothing(api, shown, source):
    source("a", "b", "c")
    demo.run(Api(api.url, api.token, None), 3, shown)
    demo.run(Api(api.url, api.token, None), 3, shown)
    assert api.writes == [3]
    assert "0 written" in shown.file.getvalue()
    assert api.asked.count("POST /v1/collections") == 1


def test_only_what_is_new_or_changed_is_written(api, shown, source):
    source("a", "b", "c")
    demo.run(Api(api.url, api.token, None), 3, shown)
    source("a", "B", "c", "d")
    demo.run(Api(api.url, api.token, None), 4, shown)
    assert api.writes == [3, 2]
    assert [api.collections["demo"][f"id-{number}"]["text"] for number in range(4)] == ["a", "B", "c", "d"]


def test_an_interrupted_run_is_taken_up_where_it_stopped(api, shown, source):
    source(*(f"text {number}" for number in range(450)))
    demo.run(Api(api.url, api.token, None), 200, shown)
    demo.run(Api(api.url, api.token, None), 450, shown)
    assert api.writes == [200, 200, 50]


def test_a_wrong_token_and_a_refusal_are_told_with_the_answer(api, shown, source):
    source("a")
    with pytest.raises(StackError, match=r"GET /v1/collections/demo was answered with 401: .*no token"):
        demo.run(Api(api.url, "wrong", None), 1, shown)
    api.fail_with = 507
    with pytest.raises(StackError, match="was answered with 507"):
        demo.run(Api(api.url, api.token, None), 1, shown)


def test_an_api_that_does_not_answer_is_told_with_what_to_do(shown, source):
    source("a")
    with pytest.raises(StackError, match=r"http://127.0.0.1:1 does not answer .*`make status` tells how the stack is"):
        demo.run(Api("http://127.0.0.1:1", "token", None), 1, shown)
