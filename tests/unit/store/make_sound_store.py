"""Run as a script: makes a prepared store of many kinds of collections with the real Chroma, and says what is in it.

Writes `<root>/store` and `<root>/expected.json`: of each collection each record's vector, document and metadata, as the
operations made them, kept beside Chroma and not read from it.
"""

import json
import os
import random
import sys
from pathlib import Path

import chromadb
from chromadb.config import Settings

DATABASES = ("default_database", "cortex_internal")
SAVED_EVERY = 20
"""Rows."""


class Recorder:
    """A collection, and what it must hold."""

    def __init__(self, client: chromadb.ClientAPI, name: str, dimensions: int, space: str, seed: int) -> None:
        configuration = {"hnsw": {"space": space, "sync_threshold": SAVED_EVERY, "batch_size": 10}}
        self.collection = client.create_collection(name, embedding_function=None, configuration=configuration)
        self.dimensions = dimensions
        self.random = random.Random(seed)  # noqa: S311 (not for secrets)
        self.rows: dict[str, dict[str, object]] = {}

    def vectors(self, count: int) -> list[list[float]]:
        # Halves and quarters: exact as 32-bit floats, so that what Chroma returns can be compared exactly.
        return [[self.random.randrange(-400, 400) / 4 + 0.25 for _ in range(self.dimensions)] for _ in range(count)]

    def upsert(self, ids: list[str], *, document: str | None = None, metadata: dict[str, object] | None = None) -> None:
        vectors = self.vectors(len(ids))
        self.collection.upsert(
            ids=ids,
            embeddings=vectors,
            documents=[f"{document} {id_}" for id_ in ids] if document else None,
            metadatas=[metadata for _ in ids] if metadata else None,
        )
        for id_, vector in zip(ids, vectors, strict=True):
            row = self.rows.setdefault(id_, {"document": None, "metadata": {}})
            row["vector"] = vector
            if document:
                row["document"] = f"{document} {id_}"
            self._merge(row, metadata or {})

    def describe(self, ids: list[str], metadata: dict[str, object]) -> None:
        self.collection.update(ids=ids, metadatas=[metadata for _ in ids])
        for id_ in ids:
            self._merge(self.rows[id_], metadata)

    def delete(self, ids: list[str]) -> None:
        self.collection.delete(ids=ids)
        for id_ in ids:
            del self.rows[id_]

    @staticmethod
    def _merge(row: dict[str, object], metadata: dict[str, object]) -> None:
        merged = {**row["metadata"], **metadata}
        row["metadata"] = {key: value for key, value in merged.items() if value is not None}


def names(first: int, count: int) -> list[str]:
    return [f"row-{row}" for row in range(first, first + count)]


def churn(recorder: Recorder, rows: int) -> None:
    """Adds, overwrites, deletes, adds again, changes metadata; the last rows come after the last save."""
    for first in range(0, rows, 10):
        recorder.upsert(names(first, 10), document="text of", metadata={"n": first, "even": first % 20 == 0, "f": 1.5})
    recorder.delete(names(10, 15))
    recorder.upsert(names(0, 10), metadata={"n": None, "tag": "näher ☃"})
    recorder.upsert(names(15, 5))
    recorder.upsert(names(1000, 10))
    recorder.describe(names(1000, 3), {"later": True})
    recorder.collection.add(ids=names(0, 2), embeddings=recorder.vectors(2))  # ignored: they exist
    recorder.collection.update(ids=["nobody"], embeddings=recorder.vectors(1))  # ignored: it does not
    for first in range(1100, 1140, 10):
        recorder.upsert(names(first, 10))
    recorder.upsert(names(2000, 3), document="late")


def main(root: Path) -> None:
    path = root / "store"
    settings = Settings(is_persistent=True, persist_directory=str(path), anonymized_telemetry=False)
    admin = chromadb.AdminClient(settings)
    if sys.argv[2:] == ["tables"]:
        admin.create_database(DATABASES[1])
        return
    client = chromadb.PersistentClient(path, settings=settings)
    internal = chromadb.PersistentClient(path, settings=settings, database=DATABASES[1])
    recorders = {
        f"default_database/{name}": Recorder(client, name, dimensions, space, seed)
        for seed, (name, dimensions, space) in enumerate(
            [("plain", 8, "l2"), ("angles", 8, "cosine"), ("inner", 5, "ip"), ("twin-a", 4, "l2"), ("twin-b", 4, "l2")]
        )
    }
    for recorder in recorders.values():
        churn(recorder, 100)
    canary = recorders["cortex_internal/canary"] = Recorder(internal, "canary", 2, "l2", 9)
    for _ in range(SAVED_EVERY + 5):
        canary.upsert(["canary"])
    few = recorders["default_database/few"] = Recorder(client, "few", 3, "cosine", 10)
    few.upsert(names(0, 7), document="unsaved")
    emptied = recorders["default_database/emptied"] = Recorder(client, "emptied", 3, "l2", 11)
    emptied.upsert(names(0, 30))
    emptied.delete(names(0, 30))
    recorders["default_database/empty"] = Recorder(client, "empty", 3, "l2", 12)
    client.create_collection("described", embedding_function=None, metadata={"hnsw:space": "cosine", "purpose": "none"})
    expected = {name: recorder.rows for name, recorder in recorders.items()}
    (root / "expected.json").write_text(json.dumps({**expected, "default_database/described": {}}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)
