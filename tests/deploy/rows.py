"""Rows with vectors of their own: written, and read back to be compared."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

DIMENSIONS = 4
_PAGE = 100


def make(client: httpx.Client, name: str, rows: int) -> None:
    """Have a collection with so many rows."""
    body = {"name": name, "embedding": "own", "dimensions": DIMENSIONS}
    made = client.post("/v1/collections", json=body)
    assert made.is_success or made.status_code == httpx.codes.CONFLICT, made.text
    for first in range(0, rows, _PAGE):
        write(client, name, range(first, min(first + _PAGE, rows)))


def write(client: httpx.Client, name: str, rows: range) -> None:
    """Upsert these."""
    documents = [{"id": f"row-{row}", "text": f"text {row}", "vector": vector(row)} for row in rows]
    answer = client.post(f"/v1/collections/{name}/documents", json={"documents": documents})
    assert answer.is_success, answer.text


def read(client: httpx.Client, name: str) -> dict[str, tuple[str, list[float]]]:
    """Text and vector of every row, by id."""
    found: dict[str, tuple[str, list[float]]] = {}
    while True:
        body = {"include": ["text", "vector"], "limit": _PAGE, "offset": len(found)}
        answer = client.post(f"/v1/collections/{name}/documents/get", json=body)
        assert answer.is_success, answer.text
        page = answer.json()["documents"]
        found |= {each["id"]: (each["text"], each["vector"]) for each in page}
        if len(page) < _PAGE:
            return found


def wanted(rows: int) -> dict[str, Any]:
    """What `read` must find."""
    return {f"row-{row}": (f"text {row}", pytest.approx(vector(row))) for row in range(rows)}


def vector(row: int) -> list[float]:
    """The vector of a row."""
    return [float(row), 1.0, -float(row), row / 8]
