"""Run as a script: opens stores with the real Chroma and prints all records, as `expected.json` has them, as JSON.

A collection that cannot be read is printed as its error.
"""

import json
import os
import sys

import chromadb
from chromadb.config import Settings


def rows(collection: chromadb.Collection) -> dict[str, object]:
    found = collection.get(include=["embeddings", "documents", "metadatas"])
    if found["ids"]:
        collection.query(query_embeddings=[found["embeddings"][0]], n_results=1)
    return {
        id_: {"vector": [float(value) for value in vector], "document": document, "metadata": metadata or {}}
        for id_, vector, document, metadata in zip(
            found["ids"], found["embeddings"], found["documents"], found["metadatas"], strict=True
        )
    }


def read(path: str) -> dict[str, object]:
    contents: dict[str, object] = {}
    for database in ("default_database", "cortex_internal"):
        settings = Settings(is_persistent=True, persist_directory=path, anonymized_telemetry=False)
        client = chromadb.PersistentClient(path, settings=settings, database=database)
        for collection in client.list_collections():
            try:
                contents[f"{database}/{collection.name}"] = rows(client.get_collection(collection.name))
            except Exception as error:
                contents[f"{database}/{collection.name}"] = f"{type(error).__name__}: {error}"
    return contents


if __name__ == "__main__":
    print(json.dumps({path: read(path) for path in sys.argv[1:]}))
    sys.stdout.flush()
    os._exit(0)
