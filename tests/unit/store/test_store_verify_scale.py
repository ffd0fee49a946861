"""Time and memory of verifying 100,000 vectors of 384 dimensions, written by the real Chroma."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from store import prepare
from tests.unit.store import damage

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]

ROWS, DIMENSIONS = 100_000, 384
WRITE = f"""
import os, sys
import chromadb
import numpy as np
client = chromadb.PersistentClient(sys.argv[1])
if len(sys.argv) == 2:
    client.list_collections()
    os._exit(0)
collection = client.create_collection("large", embedding_function=None, configuration={{"hnsw": {{"space": "cosine"}}}})
random = np.random.default_rng(1)
for first in range(0, {ROWS}, 1000):
    rows = range(first, first + 1000)
    vectors = random.standard_normal((1000, {DIMENSIONS}), dtype=np.float32)
    collection.upsert(ids=[f"document-{{row:09d}}" for row in rows], embeddings=vectors,
                      metadatas=[{{"row": row}} for row in rows])
os._exit(0)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "store"
    subprocess.run([sys.executable, "-c", WRITE, path], check=True, timeout=60)
    prepare(path)
    subprocess.run([sys.executable, "-c", WRITE, path, "fill"], check=True, timeout=800)
    return path


# In a process of its own: the peak that the kernel tells of a child includes what its parent held when it forked.
MEASURE = """
import json, resource, subprocess, sys
told = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([json.loads(told), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]))
"""


def verified(path: Path, depth: str) -> tuple[dict[str, object], float, int]:
    """What the command says, the time that it worked in seconds, and the most memory that it took in bytes.

    From the page cache it does not wait, so on an idle machine it takes as long as it works.
    """
    command = [sys.executable, "-m", "store", "verify", path, "--depth", depth, "--json"]
    measured = subprocess.run([sys.executable, "-c", MEASURE, *command], stdout=subprocess.PIPE, check=True)
    found, worked_s, peak_bytes = json.loads(measured.stdout)
    return found, worked_s, peak_bytes


@pytest.mark.parametrize(("depth", "limit_s"), [("quick", 1.0), ("index", 5.0), ("embeddings", 20.0)])
def test_time_and_memory(large: Path, depth: str, limit_s: float) -> None:
    verified(large, depth)  # fills the page cache
    found, worked_s, memory_bytes = verified(large, depth)
    assert found["sound"]
    assert found["records"] == ROWS
    assert worked_s < limit_s
    assert memory_bytes < 60e6


def test_one_flipped_bit_among_a_hundred_thousand_vectors_is_seen(large: Path) -> None:
    data = damage.folder(large, "large") / damage.DATA
    offset = damage.vector_offset(large, "large", "document-000077777") + 4 * 200
    damage.flip(data, offset, 0x01)
    try:
        found, _, _ = verified(large, "embeddings")
    finally:
        damage.flip(data, offset, 0x01)
    assert [each["ids"] for each in found["findings"]] == [["document-000077777"]]  # type: ignore[attr-defined]
