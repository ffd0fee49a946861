"""The few requests to Chroma's own HTTP interface that the guard makes: the canary, and loading an index.

Formats found out by asking `chroma run` 1.5.9 (tests/recovery/test_observer_chroma.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from healthcheck.ask import ask

CANARY_DATABASE = "cortex_internal"
"""The canary has a database of its own, so it is in no list and no count of the user's."""
CANARY_COLLECTION = "canary"
_TENANT = "default_tenant"
_ID = "canary"
_VALUES = 1 << 20
"""Exact as 32-bit floats, and back to 0 after two years of one a minute."""
_CONFLICT = 409


class CanaryFailed(Exception):  # noqa: N818 (named after what happened)
    """A request failed, or gave back something else than what was written; the message says what.

    Attributes:
        answered: whether the server said so itself; False when no answer came.
    """

    def __init__(self, message: str, *, answered: bool = True) -> None:
        self.answered = answered
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Sung:
    """A canary that came back."""

    write_ms: float
    read_ms: float
    """Reading the vector back, and finding it as its own nearest neighbour."""


@dataclass(frozen=True, slots=True)
class IndexToLoad:
    """A collection, as its index is asked for."""

    tenant: str
    database: str
    collection: str
    """Its id."""
    dimensions: int


class ChromaHttp:
    """A client for one server."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._count = 0
        self._collection = ""

    def canary(self, limit_s: float) -> Sung:
        """Write a row, read its vector back, and search for it.

        Args:
            limit_s: for all of it.

        Raises:
            CanaryFailed: saying which step failed, and how.
        """
        deadline_s = time.monotonic() + limit_s
        self._count = (self._count + 1) % _VALUES
        vector = [float(self._count), 1.0]
        try:
            start_s = time.monotonic()
            collection = self._canary_collection(deadline_s)
            self._post(f"{collection}/upsert", {"ids": [_ID], "embeddings": [vector]}, deadline_s)
            between_s = time.monotonic()
            read = self._post(f"{collection}/get", {"ids": [_ID], "include": ["embeddings"]}, deadline_s)
            search = {"query_embeddings": [vector], "n_results": 1, "include": ["distances"]}
            nearest = self._post(f"{collection}/query", search, deadline_s)
        except CanaryFailed:
            self._collection = ""  # it may be gone: a restored store has another one
            raise
        if read.get("embeddings") != [vector]:
            raise CanaryFailed(f"wrote {vector} and read {read.get('embeddings')}")
        if nearest.get("ids") != [[_ID]] or nearest.get("distances") != [[0.0]]:
            raise CanaryFailed(
                f"a search for {vector} found {nearest.get('ids')} at a distance of {nearest.get('distances')}"
            )
        return Sung(1e3 * (between_s - start_s), 1e3 * (time.monotonic() - between_s))

    def load(self, index: IndexToLoad, limit_s: float) -> None:
        """Make the server load an index, or rebuild it from the log, by asking it for one neighbour.

        Raises:
            CanaryFailed: it could not be loaded, or the server is gone.
        """
        query: dict[str, object] = {
            "query_embeddings": [[1.0] + [0.0] * (index.dimensions - 1)],
            "n_results": 1,
            "include": [],
        }
        path = f"/tenants/{index.tenant}/databases/{index.database}/collections/{index.collection}/query"
        self._post(path, query, time.monotonic() + limit_s)

    def _canary_collection(self, deadline_s: float) -> str:
        """Path of the canary's collection; made when it is not there."""
        if not self._collection:
            databases = f"/tenants/{_TENANT}/databases"
            self._post(databases, {"name": CANARY_DATABASE}, deadline_s, accepted=(_CONFLICT,))
            collections = f"{databases}/{CANARY_DATABASE}/collections"
            wanted = {"name": CANARY_COLLECTION, "get_or_create": True}
            made = self._post(collections, wanted, deadline_s)
            self._collection = f"{collections}/{made.get('id')}"
        return self._collection

    def _post(
        self, path: str, body: dict[str, object], deadline_s: float, *, accepted: Sequence[int] = ()
    ) -> dict[str, object]:
        answer = ask(self._host, self._port, f"/api/v2{path}", deadline_s, method="POST", send=body)
        step = path.rsplit("/", 1)[-1]
        if answer.problem:
            raise CanaryFailed(f"{step}: {answer.problem}", answered=answer.status > 0)
        if not 200 <= answer.status < 300 and answer.status not in accepted:
            raise CanaryFailed(f"{step}: HTTP {answer.status}, {answer.body.get('message', answer.body)}")
        return answer.body
