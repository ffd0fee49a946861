"""A collection of many rows: writing it, and questions whose answers are known."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

from tests.recovery.clients import Client
from tests.recovery.rows import Vectors, row_id, text_of, vectors_of
from tests.recovery.servers import Server, wait_until

NAME, DIMENSIONS, BATCH_ROWS = "bench", 384, 500
_CLUSTERS = 256
"""As embeddings are: vectors without any neighbours are not found again by an approximate index."""
_QUESTIONS, _NEIGHBOURS = 8, 10
_ANSWER_LIMIT_S = 1_800.0
_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


def vectors_for(rows: list[int]) -> Vectors:
    """Of shape (rows, DIMENSIONS)."""
    centres = vectors_of([row % _CLUSTERS for row in rows], [0] * len(rows), DIMENSIONS)
    return (centres + 0.5 * vectors_of(rows, [1] * len(rows), DIMENSIONS)).astype("float32")


class Rows:
    """The collection, and how many rows of it are acknowledged."""

    def __init__(self, server: Server) -> None:
        """Make it. Args: server: that runs."""
        self.written = 0
        self._client = server.connect()
        self._client.create(NAME, "l2", DIMENSIONS)

    def close(self) -> None:
        """No more to come."""
        self._client.close()

    def write(self, count: int, batch_rows: int = BATCH_ROWS) -> float:
        """Add rows; seconds that sending them took. Making them does not count."""
        took_s, end = 0.0, self.written + count
        while self.written < end:
            took_s += self.write_batch(self._client, min(batch_rows, end - self.written))
        return took_s

    def write_batch(self, client: Client, count: int) -> float:
        """Add rows by one request; seconds that it took.

        Raises:
            NotServed: they may be there or not.
        """
        rows = list(range(self.written, self.written + count))
        ids, texts, vectors = [row_id(row) for row in rows], [text_of(row, 1) for row in rows], vectors_for(rows)
        started_s = time.perf_counter()
        client.write(NAME, ids, vectors, texts)
        took_s = time.perf_counter() - started_s
        self.written += count
        return took_s

    def wait_right(self, server: Server) -> float:
        """Seconds until a server has counted all rows, and found each one that it is asked for."""
        with httpx.Client(base_url=server.url, timeout=_ANSWER_LIMIT_S) as client:
            return wait_until(lambda: self._is_right(client), "the first right answer", _ANSWER_LIMIT_S)

    def _is_right(self, client: httpx.Client) -> bool:
        path = f"{_COLLECTIONS}/{client.get(f'{_COLLECTIONS}/{NAME}').raise_for_status().json()['id']}"
        if client.get(f"{path}/count").raise_for_status().json() != self.written:
            return False
        asked = list(self._asked())
        query = {"query_embeddings": vectors_for(asked).tolist(), "n_results": _NEIGHBOURS, "include": ["distances"]}
        answer = client.post(f"{path}/query", json=query).raise_for_status().json()["ids"]
        return all(row_id(row) in found for row, found in zip(asked, answer, strict=True))

    def _asked(self) -> Iterator[int]:
        """Rows over all of them, the last one as well."""
        yield from ((self.written - 1) * number // (_QUESTIONS - 1) for number in range(_QUESTIONS))
