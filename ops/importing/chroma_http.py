"""A Chroma server's own interface, of any version from 1.0 on: what is read from one, and written to another."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from ops.errors import StackError
from ops.importing.records import Collection, Record, batches

DEFAULT_TENANT, DEFAULT_DATABASE = "default_tenant", "default_database"
LIMIT_S = 600
_LIST_ROWS, _ID_ROWS = 100, 5_000
_AGAIN = frozenset({429, 502, 503, 504})
_PATIENCE_S = 300.0
_LONGEST_WAIT_S = 30.0
_INCLUDE = ("embeddings", "documents", "metadatas", "uris")


class Chroma:
    """One database of a Chroma server.

    Args:
        http: With the server's address, and what it wants to be shown.
        tenant: The database's.
        database: Its name.
    """

    def __init__(self, http: httpx.Client, tenant: str = DEFAULT_TENANT, database: str = DEFAULT_DATABASE) -> None:
        self._http = http
        self._collections = f"/api/v2/tenants/{quote(tenant, safe='')}/databases/{quote(database, safe='')}/collections"

    def check(self) -> None:
        """Look whether it is one.

        Raises:
            StackError: It does not answer, wants another token, or is no Chroma server from 1.0 on.
        """
        answer = self._try("GET", "/api/v2/version")
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise StackError(f"{self._http.base_url} says {answer.status_code}: it wants another token (--token)")
        if not isinstance(self._answer(answer), str):
            raise StackError(f"{self._http.base_url} is no Chroma server from version 1.0 on")

    def collections(self) -> list[Collection]:
        """All collections, in order of their names."""
        found: dict[str, Any] = {}
        while True:
            page = self._ask("GET", f"{self._collections}?limit={_LIST_ROWS}&offset={len(found)}")
            found |= {each["id"]: each for each in page}
            if len(page) < _LIST_ROWS:
                break
        return sorted((self._described(each) for each in found.values()), key=lambda each: each.name)

    def problems(self, collection: Collection) -> Iterator[str]:
        """What of a collection a single server cannot take."""
        if not collection.space:
            yield f"collection {collection.name!r} has an index other than HNSW, which there is none of here"

    def notes(self, collection: Collection) -> Iterator[str]:  # noqa: ARG002 - others have some
        """What of a collection is lost, and does not matter to its data."""
        yield from ()

    def make(self, collection: Collection) -> Collection:
        """Make one like it; as it is here.

        Raises:
            StackError: It cannot be made.
        """
        named = {"name": collection.name, "metadata": collection.metadata or None}
        legacy = any(key.startswith("hnsw:") for key in collection.metadata or ())
        if collection.schema and not legacy:
            made = self._try("POST", self._collections, {**named, "schema": collection.schema})
            # A schema of another version may not be understood; the configuration says the same about the index.
            if made.status_code not in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
                return self._described(self._answer(made))
        wanted = {key: value for key, value in collection.configuration.items() if value is not None}
        return self._described(self._ask("POST", self._collections, {**named, "configuration": wanted or None}))

    def remove(self, collection: Collection) -> None:
        """Remove it and all it holds."""
        self._ask("DELETE", f"{self._collections}/{quote(collection.name, safe='')}")

    def count(self, collection: Collection) -> int:
        """How many records it has."""
        return int(self._ask("GET", f"{self._collections}/{collection.id}/count"))

    def ids(self, collection: Collection) -> Iterator[list[str]]:
        """Ids of all records, some at a time."""
        offset = 0
        while True:
            body = {"limit": _ID_ROWS, "offset": offset, "include": []}
            ids = self._ask("POST", f"{self._collections}/{collection.id}/get", body)["ids"]
            yield list(ids)
            offset += len(ids)
            if len(ids) < _ID_ROWS:
                return

    def get(self, collection: Collection, ids: Sequence[str]) -> dict[str, Record]:
        """Records by their ids; without those that are not there."""
        body = {"ids": list(ids), "limit": len(ids), "include": list(_INCLUDE)}
        said = self._ask("POST", f"{self._collections}/{collection.id}/get", body)
        nothing = [None] * len(said["ids"])
        columns = (said[key] or nothing for key in ("embeddings", "documents", "metadatas", "uris"))
        return {
            id_: Record(id_, tuple(embedding or ()), document, metadata, uri)
            for id_, embedding, document, metadata, uri in zip(said["ids"], *columns, strict=True)
        }

    def write(self, collection: Collection, records: Sequence[Record]) -> None:
        """Upsert records, in as many requests as it takes."""
        sized = [(each, len(json.dumps(_row(each)))) for each in records]
        for batch in batches(sized):
            rows = [_row(each) for each in batch]
            body = {key: [row[key] for row in rows] for key in rows[0]}
            body = {key: values for key, values in body.items() if any(value is not None for value in values)}
            self._ask("POST", f"{self._collections}/{collection.id}/upsert", body)

    def _described(self, said: dict[str, Any]) -> Collection:
        return Collection(
            id=said["id"],
            name=said["name"],
            dimensions=said.get("dimension"),
            metadata=said.get("metadata"),
            configuration=said.get("configuration_json") or {},
            schema=said.get("schema"),
        )

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        return self._answer(self._try(method, path, body))

    def _answer(self, answer: httpx.Response) -> Any:
        if answer.is_error:
            raise StackError(
                f"{answer.request.method} {answer.request.url} says {answer.status_code}: {answer.text[:500]}"
            )
        try:
            return answer.json()
        except ValueError:
            raise StackError(f"{answer.request.url} is no Chroma server: it answers {answer.text[:100]!r}") from None

    def _try(self, method: str, path: str, body: object = None) -> httpx.Response:
        return patiently(lambda: self._http.request(method, path, json=body))


def patiently(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Ask again as long as the server says that it is busy. What is asked may be done twice.

    Raises:
        StackError: It does not answer.
    """
    deadline_s = time.monotonic() + _PATIENCE_S
    wait_s = 0.5
    while True:
        try:
            answer = ask()
        except httpx.HTTPError as error:
            problem = f"{_where(error)} does not answer ({type(error).__name__}: {error})"
            if isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol) or time.monotonic() > deadline_s:
                raise StackError(problem) from None
        else:
            if answer.status_code not in _AGAIN or time.monotonic() > deadline_s:
                return answer
            wait_s = max(wait_s, _asked_wait_s(answer))
        time.sleep(min(wait_s, _LONGEST_WAIT_S))
        wait_s *= 2


def _where(error: httpx.HTTPError) -> str:
    try:
        return str(error.request.url)
    except RuntimeError:
        return "the server"


def _asked_wait_s(answer: httpx.Response) -> float:
    try:
        return float(answer.headers.get("Retry-After", "0"))
    except ValueError:
        return 0.0


def _row(record: Record) -> dict[str, Any]:
    return {
        "ids": record.id,
        "embeddings": list(record.embedding),
        "documents": record.document,
        "metadatas": record.metadata or None,
        "uris": record.uri,
    }
