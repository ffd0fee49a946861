"""Run as a script, in a process of its own: makes one store of each kind with the real Chroma.

fresh: tables only. few: rows that were never purged. emptied: all rows deleted again. purged: past the threshold,
so Chroma removed log rows. readded: purged, then every id added again, which Chroma ignores but logs.
"""

import os
import sys
from pathlib import Path

import chromadb
from chromadb.api.client import SharedSystemClient

THRESHOLD = {"hnsw": {"sync_threshold": 20, "batch_size": 10}}


def vectors(start: int, count: int) -> list[list[float]]:
    return [[float(row), row / 2, 1.0, -float(row)] for row in range(start, start + count)]


def names(start: int, count: int) -> list[str]:
    return [f"row-{row}" for row in range(start, start + count)]


def main(root: Path) -> None:
    for kind in ("fresh", "few", "emptied", "purged", "readded"):
        client = chromadb.PersistentClient(root / kind)
        if kind == "fresh":
            continue
        collection = client.create_collection("texts", embedding_function=None, configuration=THRESHOLD)
        count = 10 if kind in {"few", "readded"} else 100
        for start in range(0, count, 10):
            collection.add(ids=names(start, 10), embeddings=vectors(start, 10))
        if kind == "emptied":
            collection.delete(ids=names(0, 100))
        if kind == "readded":
            for start in range(1000, 1030, 10):
                collection.add(ids=names(start, 10), embeddings=vectors(start, 10))
            collection.delete(ids=names(1000, 30))
            collection.add(ids=names(0, 10), embeddings=vectors(500, 10))
        SharedSystemClient.clear_system_cache()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)
