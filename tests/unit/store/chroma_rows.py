"""Run as a script, in a process of its own, with the real Chroma.

`write STORE SEED ROUNDS THRESHOLD` mixes every operation on few ids, so that most rows supersede others. It and `read
STORE` print as JSON, per collection, what Chroma then reads: id, embedding, metadata, document of every record. `read
STORE STORE…` prints a list of that.
"""

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import chromadb

COLLECTIONS = {"plain": "l2", "angles": "cosine"}


def write(client: Any, seed: int, rounds: int, threshold: int) -> None:
    pick = random.Random(seed)  # noqa: S311
    for name, space in COLLECTIONS.items():
        hnsw = {"sync_threshold": threshold, "batch_size": 2, "space": space}
        collection = client.get_or_create_collection(name, embedding_function=None, configuration={"hnsw": hnsw})
        for _ in range(rounds):
            one(collection, pick)


def one(collection: Any, pick: random.Random) -> None:
    ids = [f"row-{pick.randrange(12)}"]
    embeddings = [[pick.random() for _ in range(4)]]
    value = pick.choice([1, 2.5, "x", True, [1, 2], 'é"\\'])
    metadatas = [{pick.choice("abc"): value}]
    documents = [f"text {pick.randrange(99)}"]
    match pick.randrange(8):
        case 0:
            collection.add(ids=ids, embeddings=embeddings, metadatas=metadatas, documents=documents)
        case 1:
            collection.upsert(ids=ids, embeddings=embeddings, metadatas=metadatas)
        case 2:
            collection.upsert(ids=ids, embeddings=embeddings)
        case 3:
            collection.upsert(ids=ids, embeddings=embeddings, documents=documents)
        case 4:
            collection.update(ids=ids, embeddings=embeddings, documents=documents)
        case 5:
            collection.update(ids=ids, metadatas=metadatas)
        case 6:
            collection.update(ids=ids, metadatas=[{**metadatas[0], pick.choice("abc"): None}])
        case _:
            collection.delete(ids=ids)


def read(client: Any) -> dict[str, list[list[Any]]]:
    found = {}
    for collection in client.list_collections():
        got = collection.get(include=["embeddings", "metadatas", "documents"])
        embeddings = [[float(value) for value in row] for row in got["embeddings"]]
        rows = zip(got["ids"], embeddings, got["metadatas"], got["documents"], strict=True)
        found[collection.name] = sorted([list(row) for row in rows], key=lambda row: str(row[0]))
    return found


def main(verb: str, store: Path, *more: str) -> None:
    client = chromadb.PersistentClient(store)
    if verb == "write":
        write(client, *(int(number) for number in more))
    found: Any = read(client)
    if verb == "read" and more:
        found = [found, *(read(chromadb.PersistentClient(other)) for other in more)]
    json.dump(found, sys.stdout, sort_keys=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
