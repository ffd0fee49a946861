"""`cortex import` from a server, into the API's own calls: what /v1 takes, and what it has to refuse."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops.errors import StackError
from ops.importing.bars import bars
from ops.importing.chroma_http import Chroma
from ops.importing.cortex_http import Cortex
from ops.importing.from_server import transfer
from ops.importing.made import Made
from ops.importing.outcome import Outcome
from tests.unit.ops.chroma_in_memory import HNSW, ChromaInMemory

STORES = ("embedded", "remote")


@pytest.fixture
def source() -> ChromaInMemory:
    return ChromaInMemory()


@pytest.fixture
def empty(api: Any) -> Iterator[Any]:
    """The API, with nothing in it before and after."""
    yield api
    for each in api.admin.get("/v1/collections").json()["collections"]:
        api.admin.delete(f"/v1/collections/{each['name']}")


def imported(source: ChromaInMemory, api: Any, folder: Path) -> Outcome:
    with bars(Console(file=io.StringIO())) as shown:
        return transfer(Chroma(source.client()), Cortex(api.admin), Made(folder / "made.json"), shown, name="there")


def read(api: Any, name: str) -> dict[str, tuple[Any, Any, Any]]:
    body = {"limit": 20, "include": ["text", "metadata", "vector"]}
    found: list[dict[str, Any]] = []
    while not found or len(found) % 20 == 0:
        page = api.admin.post(f"/v1/collections/{name}/documents/get", json={**body, "offset": len(found)}).json()
        found += page["documents"]
        if not page["documents"]:
            break
    return {each["id"]: (each["vector"], each["text"], each["metadata"]) for each in found}


def test_collections_arrive_with_texts_metadata_and_vectors(source: ChromaInMemory, empty: Any, tmp_path: Path) -> None:
    source.fill("lengths", 15, space="l2", metadata={"about": "x", "hnsw:space": "l2"})
    source.fill("angles", 15, space="cosine")
    source.fill("nothing", 0, space="ip")
    source.fill("tuned", 2, configuration={"hnsw": {**HNSW, "space": "ip", "ef_search": 300}})
    done = imported(source, empty, tmp_path)
    assert (done.collections, done.records, done.compared) == (4, 32, 32)
    assert done.notes == (
        "nothing has no records yet: here its vectors have the dimensions of the stack's settings",
        "tuned is indexed with the defaults of /v1, not with ef_search 300",
    )
    made = {each["name"]: each for each in empty.admin.get("/v1/collections").json()["collections"]}
    assert {name: (each["space"], each["embedding"]) for name, each in made.items()} == {
        "angles": ("cosine", "own"),
        "lengths": ("l2", "own"),
        "nothing": ("ip", "own"),
        "tuned": ("ip", "own"),
    }
    assert made["lengths"]["metadata"] == {"about": "x"}
    assert read(empty, "lengths") == {
        id_: (row["embeddings"], row["documents"], row["metadatas"] or {})
        for id_, row in source.all()["lengths"][2].items()
    }


def test_what_v1_cannot_take_is_told_before_anything_is_written(
    source: ChromaInMemory, empty: Any, tmp_path: Path
) -> None:
    source.fill("fine", 3)
    source.fill("n ame", 0)
    source.fill("marked", 0, metadata={"cortex:model": "x"})
    empty.admin.post("/v1/collections", json={"name": "fine", "embedding": "own", "dimensions": 2})
    with pytest.raises(StackError) as refused:
        imported(source, empty, tmp_path)
    assert str(refused.value).splitlines() == [
        "nothing was imported, for 3 reasons:",
        "  collection 'fine' is in the stack already",
        "  collection 'marked' has a metadata key 'cortex:model', which is reserved",
        "  collection 'n ame' has a name that /v1 does not take",
    ]
    assert empty.admin.get("/v1/collections/fine/count").json() == {"count": 0}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metadatas": {"chroma:document": "x"}}, "reserved"),
        ({"documents": "x" * 500}, "characters"),
        ({"uris": "file:///x"}, "has a URI"),
    ],
)
def test_a_record_that_v1_refuses_leaves_nothing(
    source: ChromaInMemory, empty: Any, tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    source.fill("one", 3)
    source.fill("two", 15)
    source.all()["two"][2]["row-13"].update(wrong)
    with pytest.raises(StackError, match=said):
        imported(source, empty, tmp_path)
    assert empty.admin.get("/v1/collections").json()["total"] == 0
