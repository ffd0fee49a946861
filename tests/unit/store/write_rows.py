"""Run as a script: open a store with the real Chroma, write rows far past the save threshold, die by SIGKILL."""

import os
import signal
import sys
from pathlib import Path

import chromadb


def main(store: Path, count: int) -> None:
    client = chromadb.PersistentClient(store)
    threshold = {"hnsw": {"sync_threshold": 20, "batch_size": 10}}
    collection = client.get_or_create_collection("texts", embedding_function=None, configuration=threshold)
    for start in range(0, count, 10):
        rows = range(start, start + 10)
        collection.upsert(
            ids=[f"row-{row}" for row in rows], embeddings=[[float(row), row / 2, 1.0, -float(row)] for row in rows]
        )
    collection.update(ids=["row-3"], metadatas=[{"only": "metadata"}])
    collection.delete(ids=["row-5"])
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
