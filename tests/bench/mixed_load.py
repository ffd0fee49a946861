"""Callers that read and write without a break, natively and by /v1, and remember every write that was acknowledged."""

from __future__ import annotations

import itertools
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
DIMENSIONS = 16
CALLERS = 6
PAUSE_S = 0.05
"""After each answer: a load that leaves the machine room for what happens to the stack meanwhile."""
LIMIT_S = 120.0
END_LIMIT_S = 150.0
PAGE_ROWS = 500
REWRITTEN_EVERY = 4
READ_IDS = 5


@dataclass(frozen=True)
class Request:
    """A request, and what its answer must be.

    Attributes:
        kind: For the reader.
        path: Of the gateway; sent by POST, or by GET without a body.
        body: JSON.
        judge: The answer's JSON → what is wrong with it.
        repeatable: Whether the gateway may send it again.
    """

    kind: str
    path: str
    body: Any
    judge: Callable[[Any], str]
    repeatable: bool = True


@dataclass(frozen=True)
class Done:
    """A request that has ended.

    Attributes:
        kind: What it was.
        repeatable: Whether the gateway may send it again.
        began_s: `time.monotonic()`.
        ended_s: `time.monotonic()`.
        wrong: What was wrong with the answer; empty when nothing was.
    """

    kind: str
    repeatable: bool
    began_s: float
    ended_s: float
    wrong: str

    @property
    def took_s(self) -> float:
        """From the first byte sent to the last received."""
        return self.ended_s - self.began_s


@dataclass
class Row:
    """What may be read of a row: the version that was acknowledged last, and those that may have been written since."""

    versions: set[int] = field(default_factory=set)
    acknowledged: bool = False


def text_of(key: str, version: int) -> str:
    """The text of a row."""
    return f"{key} version {version}"


def vector_of(key: str, version: int) -> list[float]:
    """The vector of a row, exact in 32 bits."""
    source = random.Random(f"{key} {version}")  # noqa: S311 -- a vector
    return [source.randrange(-512, 512) / 64 for _ in range(DIMENSIONS)]


class MixedLoad:
    """The callers. `token` may be replaced at any time.

    Attributes:
        token: What they show from now on.
        done: Every request that has ended.
        rows: Every row that was written, or may have been, by its id.
    """

    def __init__(self, url: str, trust: ssl.SSLContext, token: str, name: str, callers: int = CALLERS) -> None:
        """Args: url: of the gateway. name: of a collection, made by `prepare`."""
        self.token = token
        self.done: list[Done] = []
        self.rows: dict[str, Row] = {}
        self._url, self._trust, self._name = url, trust, name
        self._identity = ""
        self._answered = [0] * callers
        self._lock, self._ending = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(callers)]

    def prepare(self, admin_token: str) -> None:
        """Make the collection with its first rows: Chroma may answer 500 to a query beside the very first write."""
        with self._client() as client:
            headers = {"authorization": f"Bearer {admin_token}"}
            # Vectors of cosine come back with another length.
            body = {"name": self._name, "space": "l2", "embedding": "own", "dimensions": DIMENSIONS}
            made = client.post("/v1/collections", json=body, headers=headers)
            made.raise_for_status()
            self._identity = made.json()["id"]
            first = [{"id": f"first-{n}", "vector": vector_of(f"first-{n}", 0)} for n in range(READ_IDS)]
            path = f"/v1/collections/{self._name}/documents"
            client.post(path, json={"documents": first}, headers=headers).raise_for_status()

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every caller have its last answer."""
        self._ending.set()
        for thread in self._threads:
            thread.join(END_LIMIT_S)
        if any(thread.is_alive() for thread in self._threads):
            raise TimeoutError(f"waited {END_LIMIT_S:g} s for the last answers")

    def everyone_answered_since(self, before: tuple[int, ...]) -> bool:
        """Whether each caller sent a request and got its answer after a moment, of which `answered` was kept."""
        # One may have been on its way at that moment.
        return all(now >= then + 2 for now, then in zip(self._answered, before, strict=True))

    def answered(self) -> tuple[int, ...]:
        """Answers so far, of each caller."""
        return tuple(self._answered)

    def between(self, began_s: float, ended_s: float) -> list[Done]:
        """The requests of which any part lies between two moments."""
        with self._lock:
            return [each for each in self.done if each.ended_s >= began_s and each.began_s <= ended_s]

    def lost(self) -> list[str]:
        """The acknowledged writes that cannot be read back, one text each. Call it after `stop`."""
        stored = dict(self._stored())
        wrong = []
        for key, row in self.rows.items():
            if not row.acknowledged:
                continue
            found = stored.get(key)
            if found is None:
                wrong.append(f"{key} is not there")
            elif found not in [(text_of(key, each), vector_of(key, each)) for each in row.versions]:
                wrong.append(f"{key} is {found[0]!r}, not of version {sorted(row.versions)}")
        return wrong

    def acknowledged(self) -> int:
        """Rows of which a write was acknowledged."""
        return sum(row.acknowledged for row in self.rows.values())

    def _stored(self) -> Iterator[tuple[str, tuple[str | None, list[float]]]]:
        with self._client() as client:
            headers = {"x-chroma-token": self.token}
            for offset in itertools.count(0, PAGE_ROWS):
                body = {"limit": PAGE_ROWS, "offset": offset, "include": ["documents", "embeddings"]}
                page = client.post(f"{self._native}/get", json=body, headers=headers).raise_for_status().json()
                values = zip(page["documents"], page["embeddings"], strict=True)
                yield from zip(page["ids"], values, strict=True)
                if len(page["ids"]) < PAGE_ROWS:
                    return

    @property
    def _native(self) -> str:
        return f"{COLLECTIONS}/{self._identity}"

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self._url, verify=self._trust, timeout=LIMIT_S, trust_env=False)

    def _call(self, caller: int) -> None:
        kinds: list[Callable[[httpx.Client, str], None]] = [
            self._write_natively,
            self._query_natively,
            self._write_by_api,
            self._get_natively,
            self._query_by_api,
            self._add_natively,
            self._count_natively,
            self._get_by_api,
        ]
        with self._client() as client:
            for number in itertools.count():
                if self._ending.wait(PAUSE_S):
                    return
                # Each caller begins at another kind, and writes to its own rows.
                kind = kinds[(number + caller) % len(kinds)]
                turn = number // len(kinds) // REWRITTEN_EVERY
                kind(client, f"caller-{caller}{kind.__name__.replace('_', '-')}-{turn}")
                self._answered[caller] += 1

    def _write_natively(self, client: httpx.Client, key: str) -> None:
        version = self._next_version(key)
        row = {"ids": [key], "embeddings": [vector_of(key, version)], "documents": [text_of(key, version)]}
        self._write(client, f"{self._native}/upsert", row, key, version)

    def _add_natively(self, client: httpx.Client, key: str) -> None:
        # An id is added once: a second time it would stay as it is.
        key = f"{key}-{time.monotonic_ns()}"
        row = {"ids": [key], "embeddings": [vector_of(key, 0)], "documents": [text_of(key, 0)]}
        self._write(client, f"{self._native}/add", row, key, 0, repeatable=False)

    def _write_by_api(self, client: httpx.Client, key: str) -> None:
        version = self._next_version(key)
        document = {"id": key, "vector": vector_of(key, version), "text": text_of(key, version)}
        self._write(client, f"/v1/collections/{self._name}/documents", {"documents": [document]}, key, version)

    def _query_natively(self, client: httpx.Client, key: str) -> None:
        body = {"query_embeddings": [vector_of(key, 0)], "n_results": READ_IDS}
        self._ask(client, Request("native query", f"{self._native}/query", body, _has(lambda said: said["ids"][0])))

    def _get_natively(self, client: httpx.Client, key: str) -> None:
        body = {"ids": ["first-0", key]}
        self._ask(client, Request("native get", f"{self._native}/get", body, _has(lambda said: said["ids"])))

    def _count_natively(self, client: httpx.Client, key: str) -> None:  # noqa: ARG002 -- the same for each kind
        self._ask(client, Request("native count", f"{self._native}/count", None, _has(lambda said: said >= READ_IDS)))

    def _query_by_api(self, client: httpx.Client, key: str) -> None:
        body = {"vectors": [vector_of(key, 0)], "k": READ_IDS}
        path = f"/v1/collections/{self._name}/query"
        self._ask(client, Request("/v1 query", path, body, _has(lambda said: said["results"][0]["matches"])))

    def _get_by_api(self, client: httpx.Client, key: str) -> None:
        path = f"/v1/collections/{self._name}/documents/get"
        body = {"ids": ["first-0", key]}
        self._ask(client, Request("/v1 get", path, body, _has(lambda said: said["documents"])))

    def _next_version(self, key: str) -> int:
        with self._lock:
            return max(self.rows[key].versions) + 1 if key in self.rows else 0

    def _write(
        self, client: httpx.Client, path: str, body: Any, key: str, version: int, *, repeatable: bool = True
    ) -> None:
        with self._lock:
            # From now on it may be there, whatever is answered.
            self.rows.setdefault(key, Row()).versions.add(version)
        kind = f"{'/v1' if path.startswith('/v1') else 'native'} {path.rpartition('/')[2]}"
        if self._ask(client, Request(kind, path, body, lambda _: "", repeatable)):
            with self._lock:
                self.rows[key] = Row({version}, acknowledged=True)

    def _ask(self, client: httpx.Client, request: Request) -> bool:
        content = None if request.body is None else json.dumps(request.body).encode()
        headers = {"x-chroma-token": self.token, **({"content-type": "application/json"} if content else {})}
        began_s = time.monotonic()
        try:
            answer = client.request("POST" if content else "GET", request.path, content=content, headers=headers)
            wrong = request.judge(answer.json()) if answer.is_success else f"{answer.status_code} {answer.text[:300]}"
        except (httpx.HTTPError, ssl.SSLError) as error:
            wrong = repr(error)
        done = Done(request.kind, request.repeatable, began_s, time.monotonic(), wrong)
        with self._lock:
            self.done.append(done)
        return not wrong


def _has(look: Callable[[Any], Any]) -> Callable[[Any], str]:
    return lambda said: "" if look(said) else f"empty answer: {said}"
