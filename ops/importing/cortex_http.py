"""A stack without Chroma's own interface takes collections by /v1."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from ops import loading
from ops.errors import StackError
from ops.importing.chroma_http import patiently
from ops.importing.records import Collection, Record, batches

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")
_SPACES = frozenset({"l2", "cosine", "ip"})
_LEGACY = "hnsw:"
_RESERVED = ("cortex:", "chroma:")
_OF_INDEX = ("ef_construction", "ef_search", "max_neighbors")
_DEFAULTS = {"ef_construction": 100, "ef_search": 100, "max_neighbors": 16}
_LIST_ROWS = 1_000
_TRIES = 5


class Cortex:
    """The stack's API.

    Args:
        api: From `loading.client`.
    """

    def __init__(self, api: httpx.Client) -> None:
        self._api = api

    def _names(self) -> set[str]:
        """Names of all collections."""
        found: set[str] = set()
        while True:
            page = self._ask("GET", f"/v1/collections?limit={_LIST_ROWS}&offset={len(found)}")
            found |= {each["name"] for each in page["collections"]}
            if len(page["collections"]) < _LIST_ROWS:
                return found

    def problems(self, collection: Collection) -> Iterator[str]:
        """What of a collection /v1 cannot take."""
        if not _NAME.fullmatch(collection.name):
            yield f"collection {collection.name!r} has a name that /v1 does not take"
        if collection.space not in _SPACES:
            yield f"collection {collection.name!r} has an index other than HNSW, which there is none of here"
        for key, value in (collection.metadata or {}).items():
            if key.startswith(_RESERVED):
                yield f"collection {collection.name!r} has a metadata key {key!r}, which is reserved"
            if isinstance(value, dict):
                yield f"collection {collection.name!r} has metadata {key!r} of a kind that /v1 does not take"

    def notes(self, collection: Collection) -> Iterator[str]:
        """What of a collection is lost, and does not matter to its data."""
        if collection.dimensions is None:
            yield f"{collection.name} has no records yet: here its vectors have the dimensions of the stack's settings"
        hnsw = collection.configuration.get("hnsw") or {}
        other = [f"{key} {hnsw[key]}" for key in _OF_INDEX if hnsw.get(key) not in {None, _DEFAULTS[key]}]
        if other:
            yield f"{collection.name} is indexed with the defaults of /v1, not with {', '.join(other)}"

    def make(self, collection: Collection) -> Collection:
        """Make one like it; as it is here.

        Raises:
            StackError: It cannot be made.
        """
        metadata = {key: value for key, value in (collection.metadata or {}).items() if not key.startswith(_LEGACY)}
        wanted = {
            "space": collection.space,
            "embedding": "own",
            "dimensions": collection.dimensions,
            "metadata": metadata,
        }
        made = loading.make(self._api, collection.name, wanted)
        return Collection(
            id=made["id"],
            name=made["name"],
            dimensions=made["dimensions"],
            metadata=made["metadata"],
            configuration={"hnsw": {"space": made["space"]}},
        )

    def remove(self, collection: Collection) -> None:
        """Remove it and all it holds."""
        self._answer(patiently(lambda: self._api.delete(f"/v1/collections/{collection.name}")))

    def collections(self) -> list[Collection]:
        """All collections by name and id, without anything else."""
        return [
            Collection(
                id=str(self._ask("GET", f"/v1/collections/{name}")["id"]), name=name, dimensions=None, metadata=None
            )
            for name in sorted(self._names())
        ]

    def count(self, collection: Collection) -> int:
        """How many records it has."""
        return int(self._ask("GET", f"/v1/collections/{collection.name}/count")["count"])

    def get(self, collection: Collection, ids: Sequence[str]) -> dict[str, Record]:
        """Records by their ids; without those that are not there."""
        body = {"ids": list(ids), "limit": len(ids), "include": ["text", "metadata", "vector"]}
        said = self._ask("POST", f"/v1/collections/{collection.name}/documents/get", body)["documents"]
        return {
            each["id"]: Record(each["id"], tuple(each["vector"]), each.get("text"), each.get("metadata"))
            for each in said
        }

    def write(self, collection: Collection, records: Sequence[Record]) -> None:
        """Upsert records, in as many requests as it takes."""
        sized = [(each, len(_line(each))) for each in records]
        for batch in batches(sized):
            lines = [_line(each) for each in batch]
            self._load(collection.name, lines)

    def _load(self, name: str, lines: list[str]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                loading.load(self._api, name, lines)
            except (loading.Busy, httpx.TransportError) as error:
                if not left:
                    raise StackError(f"{name} cannot be written: {error}") from None
                patiently(lambda: self._api.get("/healthz"))
            else:
                return

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        return self._answer(patiently(lambda: self._api.request(method, path, json=body))).json()

    def _answer(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            raise StackError(
                f"{answer.request.method} {answer.request.url} says {answer.status_code}: {answer.text[:500]}"
            )
        return answer


def _line(record: Record) -> str:
    """As a streamed load takes it.

    Raises:
        StackError: It has what /v1 does not know.
    """
    if record.uri is not None:
        raise StackError(f"record {record.id!r} has a URI, which /v1 does not know; a stack of client-server takes it")
    line: dict[str, Any] = {"id": record.id, "vector": list(record.embedding)}
    if record.document is not None:
        line["text"] = record.document
    if record.metadata:
        line["metadata"] = dict(record.metadata)
    return json.dumps(line) + "\n"
