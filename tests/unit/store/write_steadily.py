"""Run as a script: the real Chroma writes to the sound store without a pause, until it is killed."""

import sys
from itertools import count
from pathlib import Path

import chromadb
from chromadb.config import Settings


def main(path: Path) -> None:
    settings = Settings(is_persistent=True, persist_directory=str(path), anonymized_telemetry=False)
    client = chromadb.PersistentClient(path, settings=settings)
    for step in count():
        for name, dimensions in (("plain", 8), ("angles", 8)):
            collection = client.get_collection(name)
            ids = [f"steady-{row}" for row in range(step % 7 * 10, step % 7 * 10 + 10)]
            vectors = [[step + row + value / 4 for value in range(dimensions)] for row in range(10)]
            collection.upsert(ids=ids, embeddings=vectors, metadatas=[{"step": step}] * 10, documents=ids)
            collection.delete(ids=ids[:3])
        passing = client.get_or_create_collection(f"passing-{step}", embedding_function=None)
        passing.upsert(ids=["a"], embeddings=[[1.0, 2.0]])
        if step == 2:
            print("writing", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
