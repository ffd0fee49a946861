"""The Cortex API and stock Chroma's HTTP API behind one shape, as far as writing rows and reading all of them goes."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import numpy as np

from tests.recovery.rows import Vectors

PAGE_ROWS = 1_000
TIMEOUT_S = 60.0


class NotServed(Exception):  # noqa: N818 -- named after the state
    """An error, or no answer; whether the request took effect is unknown."""


@dataclass(frozen=True)
class Stored:
    """All rows of a collection, as the store gives them; vectors of shape (rows, dimensions)."""

    ids: list[str]
    texts: list[str | None]
    vectors: Vectors


class Client(Protocol):
    """One connection to a server. Every method raises `NotServed`."""

    def create(self, name: str, space: str, dimensions: int) -> None:
        """Make a collection; one that exists is no error."""

    def drop(self, name: str) -> None:
        """Remove a collection; one that is not there is no error."""

    def write(self, name: str, ids: Sequence[str], vectors: Vectors, texts: Sequence[str] | None) -> None:
        """Upsert rows whole, or (without texts) give rows that exist another vector."""

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Remove rows."""

    def names(self) -> set[str]:
        """The collections there are."""

    def count(self, name: str) -> int:
        """Rows that the collection says it has."""

    def read(self, name: str) -> Stored:
        """All rows."""

    def nearest(self, name: str, vector: Vectors, k: int) -> int:
        """How many neighbours a query finds."""

    def close(self) -> None:
        """Drop the connection."""


class _Http:
    def __init__(
        self, base_url: str, headers: dict[str, str], timeout_s: float, trust: ssl.SSLContext | bool = True
    ) -> None:
        self._base = base_url
        self._http = httpx.Client(headers=headers, timeout=timeout_s, verify=trust)

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: object = None, *, also_fine: int | None = None) -> Any:
        try:
            answer = self._http.request(method, self._base + path, json=body)
        except httpx.HTTPError as error:
            raise NotServed(f"{method} {path}: {type(error).__name__}: {error}") from error
        if answer.status_code == also_fine:
            return None
        if not answer.is_success:
            raise NotServed(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None


def api_headers(token: str) -> dict[str, str]:
    """Headers of a request of role admin. Without a gateway, `token` is the credential the API expects from one."""
    as_the_gateway = {"X-Cortex-Inner": token, "X-Cortex-Role": "admin", "X-Cortex-Token-Name": "harness"}
    return {"Authorization": f"Bearer {token}", **as_the_gateway}


class CortexClient(_Http):
    """`/v1` of the Cortex API, behind a gateway or without one."""

    def __init__(
        self, base_url: str, token: str, timeout_s: float = TIMEOUT_S, trust: ssl.SSLContext | bool = True
    ) -> None:
        """Args: base_url: without `/v1`. token: as of `api_headers`. timeout_s: of each request. trust: of TLS."""
        super().__init__(f"{base_url.rstrip('/')}/v1", api_headers(token), timeout_s, trust)

    def create(self, name: str, space: str, dimensions: int) -> None:
        body = {"name": name, "space": space, "embedding": "own", "dimensions": dimensions}
        self._ask("POST", "/collections", body, also_fine=409)

    def drop(self, name: str) -> None:
        self._ask("DELETE", f"/collections/{name}", also_fine=404)

    def write(self, name: str, ids: Sequence[str], vectors: Vectors, texts: Sequence[str] | None) -> None:
        rows: list[dict[str, Any]] = [
            {"id": each, "vector": vector} for each, vector in zip(ids, vectors.tolist(), strict=True)
        ]
        for row, text in zip(rows, texts or (), strict=False):
            row["text"] = text
        self._ask("POST", f"/collections/{name}/documents", {"documents": rows})

    def delete(self, name: str, ids: Sequence[str]) -> None:
        self._ask("POST", f"/collections/{name}/documents/delete", {"ids": list(ids)})

    def names(self) -> set[str]:
        return {each["name"] for each in self._ask("GET", "/collections?limit=1000")["collections"]}

    def count(self, name: str) -> int:
        return int(self._ask("GET", f"/collections/{name}/count")["count"])

    def read(self, name: str) -> Stored:
        rows: list[dict[str, Any]] = []
        while True:
            asked = {"limit": PAGE_ROWS, "offset": len(rows), "include": ["text", "vector"]}
            page = self._ask("POST", f"/collections/{name}/documents/get", asked)["documents"]
            rows += page
            if len(page) < PAGE_ROWS:
                break
        return Stored(
            [row["id"] for row in rows], [row.get("text") for row in rows], _array([row.get("vector") for row in rows])
        )

    def nearest(self, name: str, vector: Vectors, k: int) -> int:
        asked = {"vectors": [vector.tolist()], "k": k, "include": ["distance"]}
        return len(self._ask("POST", f"/collections/{name}/query", asked)["results"][0]["matches"])


class ChromaClient(_Http):
    """`/api/v2` of `chroma run`."""

    def __init__(self, base_url: str, timeout_s: float = TIMEOUT_S) -> None:
        """Args: base_url: without `/api`. timeout_s: of each request."""
        path = "/api/v2/tenants/default_tenant/databases/default_database/collections"
        super().__init__(base_url + path, {}, timeout_s)
        self._ids: dict[str, str] = {}

    def create(self, name: str, space: str, dimensions: int) -> None:  # noqa: ARG002 -- Chroma learns it by the rows
        self._ids.pop(name, None)
        self._ask("POST", "", {"name": name, "configuration": {"hnsw": {"space": space}}}, also_fine=409)

    def drop(self, name: str) -> None:
        self._ids.pop(name, None)
        self._ask("DELETE", f"/{name}", also_fine=404)

    def write(self, name: str, ids: Sequence[str], vectors: Vectors, texts: Sequence[str] | None) -> None:
        body: dict[str, Any] = {"ids": list(ids), "embeddings": vectors.tolist()}
        if texts is not None:
            body["documents"] = list(texts)
        self._ask("POST", f"/{self._id(name)}/{'update' if texts is None else 'upsert'}", body)

    def delete(self, name: str, ids: Sequence[str]) -> None:
        self._ask("POST", f"/{self._id(name)}/delete", {"ids": list(ids)})

    def names(self) -> set[str]:
        return {each["name"] for each in self._ask("GET", "?limit=1000")}

    def count(self, name: str) -> int:
        return int(self._ask("GET", f"/{self._id(name)}/count"))

    def read(self, name: str) -> Stored:
        ids: list[str] = []
        texts: list[str | None] = []
        vectors: list[Any] = []
        while True:
            asked = {"limit": PAGE_ROWS, "offset": len(ids), "include": ["documents", "embeddings"]}
            page = self._ask("POST", f"/{self._id(name)}/get", asked)
            ids += page["ids"]
            texts += page["documents"]
            vectors += page["embeddings"]
            if len(page["ids"]) < PAGE_ROWS:
                break
        return Stored(ids, texts, _array(vectors))

    def nearest(self, name: str, vector: Vectors, k: int) -> int:
        asked = {"query_embeddings": [vector.tolist()], "n_results": k, "include": ["distances"]}
        return len(self._ask("POST", f"/{self._id(name)}/query", asked)["ids"][0])

    def _id(self, name: str) -> str:
        if name not in self._ids:
            self._ids[name] = self._ask("GET", f"/{name}")["id"]
        return self._ids[name]


def _array(vectors: list[Any]) -> Vectors:
    try:
        return np.array(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise NotServed(f"rows without a vector, or of different lengths: {error}") from error
