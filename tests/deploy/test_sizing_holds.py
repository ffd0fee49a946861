"""The sizing is right: 100,000 x 384 in a container with the computed limit, and the peak is what was predicted."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from infra.settings import load_settings
from infra.topologies import single_node
from tests.deploy.deployment import Deployment, free_port

VECTORS, DIMENSIONS, BATCH = 100_000, 384, 1_000
TOLERANCE = 0.10


@pytest.fixture
def sized(base_environment: dict[str, str], tmp_path: Path) -> Iterator[Deployment]:
    stack = Deployment(f"test-{secrets.token_hex(4)}", tmp_path, base_environment)
    corpus = {"vectors": VECTORS, "collections": 1, "document_bytes": 0, "metadata_bytes": 0, "updates_per_day": 0}
    stack.set({"corpus": {**corpus, "batch_rows": BATCH}, "access": {"port": free_port()}})
    stack.up()
    yield stack
    stack.purge()


def in_use(stack: Deployment) -> int:
    """Memory of the container that cannot be taken back: usage less the page cache that is not in use."""
    v1 = "/sys/fs/cgroup/memory/memory.stat"
    text = stack.docker(
        ["exec", stack.container, "sh", "-c", f"cat {v1} 2>/dev/null || cat /sys/fs/cgroup/memory.stat"]
    )
    facts = dict(line.split() for line in text.splitlines())
    return int(facts["total_rss"]) if "total_rss" in facts else int(facts["anon"])


@pytest.mark.timeout(900)
def test_peak_is_as_predicted_and_nothing_is_killed(sized: Deployment) -> None:
    need = single_node.sized(load_settings(sized.settings, sized.name))
    assert sized.inspect()["HostConfig"]["Memory"] == need.memory_limit_bytes
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.5):
            peak = max(peak, in_use(sized))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        vectors = np.random.default_rng(7).normal(size=(VECTORS, DIMENSIONS)).astype(np.float32)
        with sized.client() as client:
            body = {"name": "big", "embedding": "own", "dimensions": DIMENSIONS}
            assert client.post("/v1/collections", json=body).is_success
            for start in range(0, VECTORS, BATCH):
                rows = vectors[start : start + BATCH].tolist()
                documents = [{"id": f"row-{start + index:032d}", "vector": row} for index, row in enumerate(rows)]
                answer = client.post("/v1/collections/big/documents", json={"documents": documents})
                assert answer.is_success, answer.text
            answer = client.post("/v1/collections/big/query", json={"vectors": [vectors[5].tolist()], "k": 3})
            assert answer.json()["results"][0]["matches"][0]["id"] == f"row-{5:032d}"
    finally:
        done.set()
        watcher.join()
    state = sized.inspect()
    assert not state["State"]["OOMKilled"]
    assert state["RestartCount"] == 0
    peaks = f"peak {peak / 1e6:.0f} MB, predicted {need.memory_peak_bytes / 1e6:.0f} MB"
    print(f"{peaks}, limit {need.memory_limit_bytes / 1e6:.0f} MB")
    assert abs(peak - need.memory_peak_bytes) <= TOLERANCE * need.memory_peak_bytes
