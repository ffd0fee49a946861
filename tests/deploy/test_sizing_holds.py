"""The sizing is right: 100,000 x 384 in a container with the computed limit, and the peak is what was predicted."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from infra import topologies
from infra.settings import load_settings
from infra.sizing.sizing import SCRUB
from tests.deploy.deployment import Deployment, free_port, server_pid

pytestmark = pytest.mark.full

VECTORS, DIMENSIONS, BATCH = 100_000, 384, 1_000
LARGEST_BODY_ROWS = 2_100  # fills a body of 16 MiB with vectors
ABOVE, BELOW = 0.10, 0.20  # below: the two largest bodies need not be at their widest in the same moment


@pytest.fixture
def sized(base_environment: dict[str, str], tmp_path: Path) -> Iterator[Deployment]:
    stack = Deployment(f"test-{secrets.token_hex(4)}", tmp_path, base_environment)
    corpus = {"vectors": VECTORS, "collections": 2, "document_bytes": 0, "metadata_bytes": 0, "updates_per_day": 0}
    stack.set({"corpus": {**corpus, "batch_rows": BATCH}, "access": {"port": free_port()}})
    try:
        stack.up()
        yield stack
    finally:
        stack.purge()


def peak_bytes(stack: Deployment) -> int:
    """Highest resident memory that the server and its guard have had, as the kernel counted it."""
    guard = stack.inspect()["State"]["Pid"]
    return sum(_peak_bytes(pid) for pid in (guard, server_pid(stack)))


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def write(client: httpx.Client, collection: str, ids: list[str], vectors: np.ndarray) -> None:
    documents = [{"id": key, "vector": row} for key, row in zip(ids, vectors.tolist(), strict=True)]
    answer = client.post(f"/v1/collections/{collection}/documents", json={"documents": documents})
    assert answer.is_success, answer.text


@pytest.mark.timeout(900)
def test_peak_is_as_predicted_and_nothing_is_killed(sized: Deployment) -> None:
    need = topologies.sized(load_settings(sized.settings, sized.name)).store
    assert sized.inspect()["HostConfig"]["Memory"] == need.memory_limit_bytes
    vectors = np.random.default_rng(7).normal(size=(VECTORS, DIMENSIONS)).astype(np.float32)
    ids = [f"{row:036d}" for row in range(VECTORS)]
    peaks = {"started": peak_bytes(sized)}
    with sized.client() as client:
        # Texts of the model's whole window first: what the model holds then stays.
        assert client.post("/v1/collections", json={"name": "texts"}).is_success
        texts = [{"id": str(row), "text": "retrieval " * 300} for row in range(100)]
        assert client.post("/v1/collections/texts/documents", json={"documents": texts}).is_success
        peaks["embedded"] = peak_bytes(sized)

        body = {"name": "big", "embedding": "own", "dimensions": DIMENSIONS}
        assert client.post("/v1/collections", json=body).is_success
        for start in range(0, VECTORS, BATCH):
            write(client, "big", ids[start : start + BATCH], vectors[start : start + BATCH])
        peaks["ingested"] = peak_bytes(sized)

        # The two largest requests that are let in together.
        with ThreadPoolExecutor(2) as both:
            starts = [0, LARGEST_BODY_ROWS]
            rows = [slice(start, start + LARGEST_BODY_ROWS) for start in starts]
            list(both.map(lambda part: write(client, "big", ids[part], vectors[part]), rows))
        peaks["largest bodies"] = peak_bytes(sized)

        answer = client.post("/v1/collections/big/query", json={"vectors": [vectors[5].tolist()], "k": 3})
        assert answer.json()["results"][0]["matches"][0]["id"] == ids[5]
    for part in sized.parts():
        state = sized.inspect(part)
        assert not state["State"]["OOMKilled"], part
        assert state["RestartCount"] == 0, part
    said = ", ".join(f"{name} {peak / 1e6:.0f} MB" for name, peak in peaks.items())
    print(f"{said}; predicted {need.memory_peak_bytes / 1e6:.0f} MB, limit {need.memory_limit_bytes / 1e6:.0f} MB")
    peak = peaks["largest bodies"]
    # Nothing was scrubbed meanwhile.
    expected = need.memory_peak_bytes - next(term.amount_bytes for term in need.memory_terms if term.name == SCRUB)
    assert (1 - BELOW) * expected <= peak <= (1 + ABOVE) * expected, said
