"""Writes whose outcome is known at every moment, and a program that makes them with the real Chroma.

`python steady_rows.py STORE JOURNAL FIRST`: write number FIRST, FIRST + 1, … until standard input closes; the journal
gets a line of its number after each acknowledged write, and one before the first ("0").
"""

import os
import select
import sys
from pathlib import Path
from typing import Any

THRESHOLDS = {"hot": 20, "cool": 300}
"""Rows between two saves of the index."""
IDS = 150

Rows = dict[str, dict[str, list[float]]]
"""Embedding by collection and id."""


def write(number: int) -> tuple[str, str, list[str], list[list[float]]]:
    """The collection, what is done, ids, embeddings of one write."""
    name = list(THRESHOLDS)[number % 2]
    count = 3 if number % 5 == 4 else 10
    ids = [f"row-{(number * 7 + place * 11) % IDS}" for place in range(count)]
    if number % 5 == 4:
        return name, "delete", ids, []
    return name, "upsert", ids, [[float(number), float(place), 1.0] for place in range(count)]


def after(newest_row: int) -> tuple[int, Rows]:
    """How many writes the log has with this newest row, and what must then be in the collections."""
    rows: Rows = {name: {} for name in THRESHOLDS}
    logged = number = 0
    while logged < newest_row:
        name, what, ids, embeddings = write(number)
        for place, each in enumerate(ids):
            if what == "delete":
                rows[name].pop(each, None)
            else:
                rows[name][each] = embeddings[place]
        logged += len(ids)
        number += 1
    assert logged == newest_row, "a write is there in part"
    return number, rows


def acknowledged(journal: Path) -> int:
    """How many writes are acknowledged by now."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return int(lines[-1]) if lines else -1


def main(store: Path, journal: Path, first: int) -> None:
    import chromadb  # noqa: PLC0415 (the tests read this file without it)

    client = chromadb.PersistentClient(store)
    collections: dict[str, Any] = {
        name: client.get_or_create_collection(
            name, embedding_function=None, configuration={"hnsw": {"sync_threshold": rows, "batch_size": 10}}
        )
        for name, rows in THRESHOLDS.items()
    }
    out = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(out, f"{first}\n".encode())
    number = first
    while not select.select([sys.stdin], [], [], 0)[0]:
        name, what, ids, embeddings = write(number)
        if what == "delete":
            collections[name].delete(ids=ids)
        else:
            collections[name].upsert(ids=ids, embeddings=embeddings)
        number += 1
        os.write(out, f"{number}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
