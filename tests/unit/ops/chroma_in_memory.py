"""A Chroma server's interface, as much of it as an import uses, in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx

BASE = "/api/v2/tenants/default_tenant/databases/default_database/collections"
HNSW = {"ef_construction": 100, "ef_search": 100, "max_neighbors": 16}


class ChromaInMemory:
    """Records by collection; `broken` may answer a request instead, and `asked` has all of them."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[str, dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.broken: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None
        self._made = 0

    def client(self) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url="http://chroma:8000", transport=httpx.MockTransport(self._answer))

    def fill(self, name: str, rows: int, space: str = "l2", **more: Any) -> None:
        """Have a collection with rows."""
        made = self._make({"name": name, "configuration": {"hnsw": {**HNSW, "space": space}}, **more})
        made["dimension"] = 2 if rows else None
        for row in range(rows):
            metadata = {"row": row, "share": row / 8} if row % 2 else None
            embedding = [row + 0.5, -float(row)]
            said = {"embeddings": embedding, "documents": f"text {row}" if row % 3 else None, "metadatas": metadata}
            self.records[made["id"]][f"row-{row}"] = {**said, "uris": None}

    def all(self) -> dict[str, tuple[Any, Any, dict[str, Any]]]:
        """Metadata, configuration and records by the collection's name."""
        return {
            each["name"]: (each["metadata"], each["configuration_json"], self.records[each["id"]])
            for each in self.collections.values()
        }

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if (broken := self.broken(request)) is not None:
            return broken
        return httpx.Response(200, json=self._said(request, path, json.loads(request.content or b"{}")))

    def _said(self, request: httpx.Request, path: str, body: dict[str, Any]) -> Any:
        if path == "/api/v2/version":
            return "1.0.0"
        if path == BASE and request.method == "POST":
            assert body["name"] not in {each["name"] for each in self.collections.values()}
            return self._make(body)
        if path == BASE:
            first, count = int(request.url.params["offset"]), int(request.url.params["limit"])
            return list(self.collections.values())[first : first + count]
        if request.method == "DELETE":
            (id_,) = (id_ for id_, each in self.collections.items() if each["name"] == path.rpartition("/")[2])
            del self.collections[id_], self.records[id_]
            return {}
        found = re.fullmatch(f"{BASE}/([^/]+)/(get|count|upsert)", path)
        assert found is not None, path
        return getattr(self, f"_{found[2]}")(self.records[found[1]], body)

    def _make(self, body: dict[str, Any]) -> dict[str, Any]:
        self._made += 1
        id_ = f"id-{self._made}-{id(self)}"
        configuration = body.get("configuration") or {"hnsw": body["schema"]["hnsw"]}
        made = {"id": id_, "name": body["name"], "dimension": None, "metadata": body.get("metadata")}
        self.collections[id_] = {**made, "configuration_json": configuration, "schema": body.get("schema")}
        self.records[id_] = {}
        return self.collections[id_]

    @staticmethod
    def _count(records: dict[str, Any], _body: dict[str, Any]) -> int:
        return len(records)

    @staticmethod
    def _get(records: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        ids = [id_ for id_ in records if id_ in body.get("ids", records)]
        ids = ids[body.get("offset", 0) :][: body["limit"]]
        keys = ("embeddings", "documents", "metadatas", "uris")
        return {"ids": ids} | {
            key: [records[id_][key] for id_ in ids] if key in body["include"] else None for key in keys
        }

    @staticmethod
    def _upsert(records: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        for number, id_ in enumerate(body["ids"]):
            keys = ("embeddings", "documents", "metadatas", "uris")
            records[id_] = {key: body[key][number] if body.get(key) else None for key in keys}
        return {}
