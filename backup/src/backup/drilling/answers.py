"""Whether a server on a restored store answers as it must."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backup.drilling.questions import Questions, Row
from backup.drilling.server import Server
from backup.errors import DrillFailed

NEIGHBOURS = 10
LEAST_FOUND = 0.5
"""Share of rows that must be their own neighbours: an approximate index misses up to a fifth of random ones."""
LOAD_LIMIT_S = 3_600.0
"""The first query of a collection waits until its index is brought up to date."""
_RELATIVE = 1e-3


@dataclass(slots=True)
class Answered:
    """What was asked and found, of all collections."""

    rows: int = 0
    """Read back, equal to the log's to the last bit."""
    searches: int = 0
    found: int = 0
    """Searches for a row's own vector that found the row."""


def ask_all(server: Server, questions: Sequence[Questions], first: Callable[[], None]) -> Answered:
    """Count, read and search every collection.

    Args:
        server: on the restored store.
        questions: of its collections.
        first: called after the first right answer to a search.

    Raises:
        DrillFailed: an answer is wrong.
    """
    answered = Answered()
    for each in questions:
        path = f"/tenants/{each.tenant}/databases/{each.database}/collections/{each.id}"
        count = server.ask("GET", f"{path}/count")
        if count != each.records:
            raise DrillFailed(f"{each.name} has {count} records on the server, and {each.records} in its log")
        if each.rows:
            _read(server, path, each)
            answered.rows += len(each.rows)
            for row in each.rows:
                answered.found += _searched(server, path, each, row)
                answered.searches += 1
                if answered.searches == 1:
                    first()
    if answered.found < LEAST_FOUND * answered.searches:
        raise DrillFailed(f"only {answered.found} of {answered.searches} searches for a row's own vector found the row")
    return answered


def _read(server: Server, path: str, questions: Questions) -> None:
    wanted = {"ids": [row.id for row in questions.rows], "include": ["embeddings"]}
    answer = server.ask("POST", f"{path}/get", wanted, LOAD_LIMIT_S)
    read = dict(zip(answer["ids"], answer["embeddings"], strict=True))
    for row in questions.rows:
        if row.id not in read:
            raise DrillFailed(f"{questions.name} lacks a row that its log has")
        if not _same(read[row.id], row.vector, questions.space):
            raise DrillFailed(f"{questions.name} has another vector for a row than its log")


def _searched(server: Server, path: str, questions: Questions, row: Row) -> bool:
    """Whether a search for a row's own vector finds it; its distances are checked."""
    wanted = {"query_embeddings": [list(row.vector)], "n_results": NEIGHBOURS, "include": ["distances", "embeddings"]}
    answer = server.ask("POST", f"{path}/query", wanted, LOAD_LIMIT_S)
    (ids,), (distances,), (vectors,) = answer["ids"], answer["distances"], answer["embeddings"]
    if distances != sorted(distances):
        raise DrillFailed(f"{questions.name} answers with neighbours out of order")
    for distance, vector in zip(distances, vectors, strict=True):
        right = _distance(row.vector, vector, questions.space)
        if abs(distance - right) > _RELATIVE * max(1.0, abs(right)):
            raise DrillFailed(f"{questions.name} answers with a distance of {distance:g} that is {right:g}")
    return row.id in ids


def _same(read: Sequence[float], logged: Sequence[float], space: str) -> bool:
    if len(read) != len(logged):
        return False
    if space != "cosine":
        return list(read) == list(logged)
    # The index keeps the direction and the length apart; putting them together rounds.
    return all(math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6) for one, other in zip(read, logged, strict=True))


def _distance(one: Sequence[float], other: Sequence[float], space: str) -> float:
    if space == "l2":
        return math.fsum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    if space == "ip":
        return 1.0 - product
    lengths = math.sqrt(math.fsum(a * a for a in one)) * math.sqrt(math.fsum(b * b for b in other))
    return 1.0 - product / lengths if lengths else 1.0
