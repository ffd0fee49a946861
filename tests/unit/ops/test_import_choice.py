"""What an import decides: what is named, who uses it, what goes into a request, and whether a record arrived."""

from __future__ import annotations

import json
from array import array
from pathlib import Path

import pytest

from ops import importing
from ops.errors import StackError
from ops.importing.in_use import users
from ops.importing.made import Made
from ops.importing.outcome import Outcome
from ops.importing.records import Likeness, Record, batches, likeness, page_rows, pages
from ops.importing.sources import Directory, Server, Volume, read


def test_what_is_named_is_told_apart(tmp_path):
    assert read(str(tmp_path / "x/../y")) == Directory((tmp_path / "y").resolve())
    assert read("volume:old_chroma") == Volume("old_chroma")
    assert read("http://10.0.0.5:8000/") == Server("http://10.0.0.5:8000")
    assert read("https://chroma.example.com") == Server("https://chroma.example.com")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "name what to import"),
        ("volume:", "names no volume"),
        ("volume:a/b", "names no volume"),
        ("volume:a,readonly=false", "names no volume"),
        ("ftp://host", "names no Chroma server"),
        ("http://", "names no Chroma server"),
        ("http://host:port", "names no Chroma server"),
        ("http://host/api/v2", "names no Chroma server"),
        ("http://user:word@host", "use --token"),
    ],
)
def test_what_names_nothing_is_refused(text, said):
    with pytest.raises(StackError, match=said):
        read(text)


def container(name: str, **mount: object) -> dict:
    return {"Name": f"/{name}", "Mounts": [mount]}


def test_a_running_container_with_the_source_is_found():
    containers = [
        container("volume", Type="volume", Name="old", Source="/var/lib/docker/volumes/old/_data"),
        container("other", Type="volume", Name="older", Source="/var/lib/docker/volumes/older/_data"),
        container("same", Type="bind", Source="/srv/chroma", RW=False),
        container("below", Type="bind", Source="/srv/chroma/part"),
        container("above", Type="bind", Source="/srv", RW=True),
        container("monitor", Type="bind", Source="/srv", RW=False),
        container("root", Type="bind", Source="/", RW=True),
        container("beside", Type="bind", Source="/srv/chroma-2"),
        {"Name": "/none", "Mounts": None},
    ]
    assert users(containers, Volume("old")) == ["volume"]
    assert users(containers, Directory(Path("/srv/chroma"))) == ["above", "below", "same"]
    assert users(containers, Directory(Path("/home/x"))) == []


def narrow(*values: float) -> tuple[float, ...]:
    return tuple(array("f", values))


FULL = Record("a", narrow(0.1, -2.5, 1e-8), "text", {"n": 1, "of": ["x", "y"]}, "file:///a")


@pytest.mark.parametrize("space", ["l2", "ip", "cosine"])
def test_a_record_that_went_through_json_is_the_same(space):
    said = json.loads(json.dumps([float(f"{value:.9g}") for value in FULL.embedding]))
    other = Record("a", said, "text", {"of": ["x", "y"], "n": 1}, "file:///a")
    assert likeness(other, FULL, space=space) is Likeness.EQUAL


@pytest.mark.parametrize(
    "other",
    [
        Record("a", FULL.embedding, "", FULL.metadata, FULL.uri),
        Record("a", FULL.embedding, "text", {**FULL.metadata, "n": 1.0}, FULL.uri),
        Record("a", FULL.embedding, "text", {**FULL.metadata, "n": True}, FULL.uri),
        Record("a", FULL.embedding, "text", None, FULL.uri),
        Record("a", FULL.embedding, "text", FULL.metadata, None),
        Record("a", FULL.embedding[:2], "text", FULL.metadata, FULL.uri),
        Record("a", (), "text", FULL.metadata, FULL.uri),
        Record("a", (0.1, -2.5, 1.001e-8), "text", FULL.metadata, FULL.uri),
        Record("b", FULL.embedding, "text", FULL.metadata, FULL.uri),
    ],
)
def test_what_differs_is_noticed_in_every_space(other):
    assert {likeness(other, FULL, space=space) for space in ("l2", "ip", "cosine")} == {Likeness.OTHER}


def test_last_places_may_differ_in_cosine_alone():
    near = Record("a", (0.1 * (1 + 3e-7), *FULL.embedding[1:]), FULL.document, FULL.metadata, FULL.uri)
    found = {space: likeness(near, FULL, space=space) for space in ("l2", "ip", "cosine")}
    assert found == {"l2": Likeness.OTHER, "ip": Likeness.OTHER, "cosine": Likeness.ROUNDED}


def test_pages_and_requests_have_bounds():
    assert page_rows(None) == 500
    assert page_rows(384) == 500
    assert 50 < page_rows(4_096) < 500
    assert page_rows(10**9) == 1
    ids = [str(number) for number in range(7)]
    assert [len(page) for page in pages(ids, 3)] == [3, 3, 1]
    sized = [(Record(id_, ()), 40 if id_ == "3" else 4) for id_ in ids]
    made = list(batches(sized, most_bytes=10))
    assert [[each.id for each in batch] for batch in made] == [["0", "1"], ["2"], ["3"], ["4", "5"], ["6"]]
    assert list(batches([])) == []


def test_what_was_made_is_noted_until_it_is_whole(tmp_path):
    made = Made(tmp_path / "new/dev.json")
    assert made.read() == {}
    made.add("a")
    made.add("a", "1")
    made.add("b", "2")
    assert Made(tmp_path / "new/dev.json").read() == {"a": "1", "b": "2"}
    made.drop("a")
    made.drop("never")
    assert made.read() == {"b": "2"}
    (tmp_path / "new/dev.json").write_text("[")
    assert made.read() == {}
    made.clear()
    made.clear()
    assert not (tmp_path / "new/dev.json").exists()


def test_what_was_imported_is_told():
    done = Outcome("volume:old", 2, 30_000, 10.0, 30_000, 7, "/data/.cortex/aside/x", ("a note",))
    assert done.as_text().splitlines() == [
        "imported 30,000 records in 2 collections from volume:old in 10.0 s, 3,000 records a second",
        "  30,000 vectors were compared; 7 in space cosine differ in the last place",
        "  what the store held before is in /data/.cortex/aside/x",
        "  a note",
    ]
    assert json.loads(done.as_json())["notes"] == ["a note"]


@pytest.fixture
def running(monkeypatch):
    """What the command asked for."""
    asked = []

    def run(stack, source, access, _console, *, force):
        asked.append((stack.name, source, access, force))
        return Outcome(source, 1, 2, 0.5, 2)

    monkeypatch.setattr(importing, "run", run)
    return asked


def test_the_command_asks_for_it_and_prints_the_result_alone(command, running):
    code, out, _ = command("import", "--from", "volume:old", "--force", "--json", "--stack", "prod")
    assert (code, json.loads(out)["records"]) == (0, 2)
    assert running == [("prod", "volume:old", importing.Access(), True)]
    assert command("import", "--from", "volume:old")[1].startswith("imported 2 records in 1 collections")


def test_the_token_comes_from_the_environment_or_is_asked_for(command, running, monkeypatch):
    assert command("import", "--from", "http://there", "--token", input="typed\n")[0] == 0
    assert command("import", "--from", "http://there", "--tenant", "t", "--database", "d")[0] == 0
    monkeypatch.setenv("CORTEX_IMPORT_TOKEN", "given")
    assert command("import", "--from", "http://there", "--token")[0] == 0
    assert [access.token for _, _, access, _ in running] == ["typed", "", "given"]
    assert (running[1][2].tenant, running[1][2].database) == ("t", "d")


def test_what_is_wrong_is_told_with_its_code(command, programs, monkeypatch):
    def run(*_arguments, **_options):
        raise StackError("in use", 75)

    monkeypatch.setattr(importing, "run", run)
    assert command("import", "--from", "volume:old") == (75, "", "error: in use\n")


def test_a_server_never_replaces_anything(command, programs):
    programs.add("pulumi", ("stack output", json.dumps({"container": "cortex-dev-api"}), 0))
    code, _, err = command("import", "--from", "http://there", "--force")
    assert (code, "--force is for directories and volumes" in err) == (1, True)
