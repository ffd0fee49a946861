"""A server's collections on their way into another, over interfaces in memory."""

from __future__ import annotations

import io
import json

import httpx
import pytest
from rich.console import Console

from ops.errors import StackError
from ops.importing import chroma_http
from ops.importing.bars import bars
from ops.importing.chroma_http import Chroma
from ops.importing.from_server import transfer
from ops.importing.made import Made
from tests.unit.ops.chroma_in_memory import HNSW, ChromaInMemory


class Scene:
    def __init__(self, folder):
        self.source, self.target = ChromaInMemory(), ChromaInMemory()
        self.made = Made(folder / "import/dev.json")
        self.said = io.StringIO()

    def transfer(self, target=None):
        with bars(Console(file=self.said, width=300)) as shown:
            target = target or Chroma(self.target.client())
            return transfer(Chroma(self.source.client()), target, self.made, shown, name="there")


@pytest.fixture
def scene(tmp_path, monkeypatch):
    monkeypatch.setattr(chroma_http.time, "sleep", lambda _s: None)
    made = Scene(tmp_path)
    made.source.fill("many", 1_203, metadata={"about": "x"})
    made.source.fill("angles", 20, space="cosine")
    made.source.fill("empty", 0)
    return made


def test_everything_arrives_and_is_compared(scene):
    done = scene.transfer()
    assert scene.target.all() == scene.source.all()
    assert (done.collections, done.records, done.compared, done.rounded) == (3, 1_223, 1_223, 0)
    assert scene.made.read() == {}
    assert not [call for call in scene.source.asked if "upsert" in call or "DELETE" in call]
    assert "writing many" in scene.said.getvalue()
    assert "comparing many" in scene.said.getvalue()


def test_a_schema_is_kept_and_one_that_is_not_understood_is_done_without(scene):
    scene.source.fill("new", 3, schema={"hnsw": {**HNSW, "space": "l2"}, "keys": {"a": 1}})
    scene.source.fill("legacy", 3, schema={"hnsw": {**HNSW, "space": "l2"}}, metadata={"hnsw:space": "l2"})
    scene.transfer()
    schemas = {each["name"]: each["schema"] for each in scene.target.collections.values()}
    assert schemas["new"] == {"hnsw": {**HNSW, "space": "l2"}, "keys": {"a": 1}}
    assert schemas["legacy"] is None
    other = ChromaInMemory()
    other.broken = lambda request: httpx.Response(400) if b'"schema"' in request.content else None
    scene.transfer(Chroma(other.client()))
    assert {name: said[1:] for name, said in other.all().items()} == {
        name: said[1:] for name, said in scene.source.all().items()
    }


def test_all_that_stands_against_it_is_told_before_anything_is_written(scene):
    scene.target.fill("many", 1)
    scene.target.fill("empty", 0)
    scene.source.fill("cloud", 0, configuration={"spann": {}})
    before = scene.target.all()
    with pytest.raises(StackError) as refused:
        scene.transfer()
    assert str(refused.value).splitlines() == [
        "nothing was imported, for 3 reasons:",
        "  collection 'empty' is in the stack already",
        "  collection 'many' is in the stack already",
        "  collection 'cloud' has an index other than HNSW, which there is none of here",
    ]
    assert scene.target.all() == before
    assert not [call for call in scene.target.asked if not call.startswith("GET")]


def test_a_server_that_is_busy_is_asked_again(scene):
    answers = [httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(503), httpx.Response(502)] * 2

    def sometimes(request):
        return answers.pop() if answers and "upsert" in request.url.path else None

    scene.target.broken = sometimes
    scene.transfer()
    assert not answers
    assert scene.target.all() == scene.source.all()


def fail_at(number):
    left = [number]

    def broken(request):
        left[0] -= "upsert" in request.url.path
        return httpx.Response(500, text="full") if left[0] < 0 else None

    return broken


@pytest.mark.parametrize("number", [0, 1, 3])
def test_what_fails_midway_leaves_nothing(scene, number):
    broken = fail_at(number)
    scene.target.broken = lambda request: None if request.method == "DELETE" else broken(request)
    with pytest.raises(StackError, match="says 500: full"):
        scene.transfer()
    assert scene.target.collections == {}
    assert scene.made.read() == {}


def test_what_cannot_be_taken_back_is_removed_by_the_next_import_and_nothing_else_is(scene):
    scene.target.fill("other", 5)
    scene.target.broken = fail_at(2)
    with pytest.raises(StackError):
        scene.transfer()
    assert set(scene.made.read()) == {"angles", "empty", "many"}
    assert "the next import removes it" in scene.said.getvalue()
    scene.target.broken = lambda _request: None
    scene.transfer()
    assert {name: said for name, said in scene.target.all().items() if name != "other"} == scene.source.all()
    assert "removed many, which an import before had begun" in scene.said.getvalue()


def test_one_killed_while_it_made_a_collection_is_made_good_and_somebody_elses_is_not_touched(scene):
    scene.made.add("empty")
    scene.made.add("many", "id-of-another-time")
    scene.target.fill("empty", 0)
    scene.transfer()
    assert scene.target.all() == scene.source.all()
    scene.made.add("empty")
    scene.made.add("many", "id-of-another-time")
    with pytest.raises(StackError, match="collection 'many' is in the stack already"):
        scene.transfer()
    assert len(scene.target.all()["many"][2]) == 1_203


def changing(scene, change):
    """The source changes while its records are read for the second time."""

    def broken(request):
        if "upsert" not in request.url.path or json.loads(request.content)["ids"][-1] != "row-1202":
            return
        (id_,) = (each["id"] for each in scene.source.collections.values() if each["name"] == "many")
        change(scene.source.records[id_])
        return

    scene.target.broken = broken


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.pop("row-5"), "1,202 in the source, 1,203 in the stack, 1,203 in the import"),
        (lambda rows: rows["row-5"].update(embeddings=[5.5, -5.0001]), "is not what the source has"),
        (lambda rows: rows["row-5"].update(documents="other"), "is not what the source has"),
        (lambda rows: rows.update({"row-x": rows.pop("row-5")}), "record 'row-5' of many vanished"),
    ],
)
def test_a_source_that_changes_is_noticed_and_nothing_is_left(scene, change, said):
    changing(scene, change)
    with pytest.raises(StackError, match=said):
        scene.transfer()
    assert scene.target.collections == {}


def test_a_record_that_did_not_arrive_is_noticed(scene):
    original = scene.target._get

    def without(records, body):
        return original({id_: row for id_, row in records.items() if id_ != "row-7"}, body)

    scene.target._get = without
    with pytest.raises(StackError, match="record 'row-7' of angles did not arrive"):
        scene.transfer()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(401, text="no"), "wants another token"),
        (httpx.Response(200, text="<html>"), "is no Chroma server"),
        (httpx.Response(200, json={"a": 1}), "is no Chroma server"),
        (httpx.Response(404, text="gone"), "says 404: gone"),
    ],
)
def test_what_is_no_server_is_refused(scene, answer, said):
    scene.source.broken = lambda _request: answer
    with pytest.raises(StackError, match=said):
        scene.transfer()
    assert scene.target.asked == []


def test_nobody_there():
    nowhere = Chroma(httpx.Client(base_url="http://127.0.0.1:9", trust_env=False))
    with pytest.raises(StackError, match="does not answer"):
        nowhere.check()
