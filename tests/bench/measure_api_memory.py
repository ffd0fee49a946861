"""Memory of the API process with Chroma embedded, and the coefficients that sizing uses.

Run: `python tests/bench/measure_api_memory.py --model FOLDER [--quick]` (FOLDER: what `python -m cortex_model` wrote).
For each load a fresh process and store: idle, after embedding texts, after the ingest, and after a restart and one
query (which loads the index). Prints every measurement and least-squares fits with their largest residual.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

CREDENTIAL = "bench"
MB = 1e6


@dataclass(frozen=True)
class Load:
    vectors: int
    dimensions: int
    batch_rows: int


@dataclass(frozen=True)
class Measured:
    load: Load
    idle: int
    embedded: int
    embedded_peak: int
    ingested: int
    ingest_peak: int
    restarted: int
    restarted_anonymous: int


FULL = [
    Load(5_000, 384, 1_000),
    Load(20_000, 384, 200),
    Load(20_000, 384, 1_000),
    Load(20_000, 384, 5_000),
    Load(50_000, 384, 1_000),
    Load(5_000, 1_024, 1_000),
    Load(20_000, 1_024, 1_000),
    Load(20_000, 128, 1_000),
]
QUICK = [Load(2_000, 384, 1_000), Load(6_000, 384, 1_000), Load(4_000, 128, 1_000)]


def status_bytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


@contextmanager
def api(store: Path, credential: Path, model: Path, batch_rows: int) -> Iterator[tuple[httpx.Client, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "CORTEX_STORE_PATH": str(store),
        "CORTEX_INNER_CREDENTIAL_FILE": str(credential),
        "CORTEX_MODEL_PATH": str(model),
        "CORTEX_HOST": "127.0.0.1",
        "CORTEX_PORT": str(port),
        "CORTEX_MAX_BATCH_ROWS": str(batch_rows),
        "CORTEX_MAX_BODY_BYTES": str(256 << 20),
        "CORTEX_LOG_LEVEL": "warning",
        "MALLOC_ARENA_MAX": "2",  # as in the image
    }
    process = subprocess.Popen([sys.executable, "-m", "cortex_api"], env=environment, cwd="/")
    headers = {"X-Cortex-Inner": CREDENTIAL, "X-Cortex-Role": "admin", "X-Cortex-Token-Name": "bench"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120) as client:
            while True:
                try:
                    if client.get("/healthz").status_code == 200:
                        break
                except httpx.TransportError:
                    if process.poll() is not None:
                        raise
                time.sleep(0.05)
            yield client, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def measure(load: Load, model: Path, texts: list[str]) -> Measured:
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        store, credential = Path(folder, "store"), Path(folder, "inner-credential")
        store.mkdir()
        credential.write_text(hashlib.sha256(CREDENTIAL.encode()).hexdigest())
        with api(store, credential, model, load.batch_rows) as (client, pid):
            idle = status_bytes(pid, "VmRSS")
            client.post("/v1/collections", json={"name": "texts"}).raise_for_status()
            for start in range(0, len(texts), 500):
                rows = [{"id": str(start + i), "text": text} for i, text in enumerate(texts[start : start + 500])]
                client.post("/v1/collections/texts/documents", json={"documents": rows}).raise_for_status()
            embedded, embedded_peak = status_bytes(pid, "VmRSS"), status_bytes(pid, "VmHWM")
            client.delete("/v1/collections/texts").raise_for_status()
        with api(store, credential, model, load.batch_rows) as (client, pid):
            body = {"name": "load", "embedding": "own", "dimensions": load.dimensions}
            client.post("/v1/collections", json=body).raise_for_status()
            for start in range(0, load.vectors, load.batch_rows):
                count = min(load.batch_rows, load.vectors - start)
                vectors = random.standard_normal((count, load.dimensions)).round(6).tolist()
                rows = [{"id": f"{start + i:010d}", "vector": vector} for i, vector in enumerate(vectors)]
                client.post("/v1/collections/load/documents", json={"documents": rows}).raise_for_status()
            ingested, ingest_peak = status_bytes(pid, "VmRSS"), status_bytes(pid, "VmHWM")
        with api(store, credential, model, load.batch_rows) as (client, pid):
            query = {"vectors": [[0.1] * load.dimensions], "k": 10}
            client.post("/v1/collections/load/query", json=query).raise_for_status()
            restarted, anonymous = status_bytes(pid, "VmRSS"), status_bytes(pid, "RssAnon")
    return Measured(load, idle, embedded, embedded_peak, ingested, ingest_peak, restarted, anonymous)


def fit(columns: list[list[float]], values: list[float]) -> tuple[list[float], float]:
    matrix, target = np.array(columns, dtype=float), np.array(values, dtype=float)
    solution, *_ = np.linalg.lstsq(matrix, target, rcond=None)
    return solution.tolist(), float(np.abs(matrix @ solution - target).max())


def real_texts(count: int) -> list[str]:
    sys.path.insert(0, str(Path(__file__).parents[2] / "images/api/model"))
    from cortex_model.sample import texts  # noqa: PLC0415

    return texts(count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="small loads: shows that it works, not the coefficients")
    arguments = parser.parse_args()
    texts = real_texts(500 if arguments.quick else 2_000)
    results = []
    print("vectors dims batch | idle embedded (peak) | ingested (peak) | restarted (anonymous), MB")
    for load in QUICK if arguments.quick else FULL:
        got = measure(load, arguments.model, texts)
        results.append(got)
        print(
            f"{load.vectors:7d} {load.dimensions:4d} {load.batch_rows:5d} | "
            f"{got.idle / MB:.0f} {got.embedded / MB:.0f} ({got.embedded_peak / MB:.0f}) | {got.ingested / MB:.0f} "
            f"({got.ingest_peak / MB:.0f}) | "
            f"{got.restarted / MB:.0f} ({got.restarted_anonymous / MB:.0f})",
            flush=True,
        )
    columns = [[1.0, got.load.vectors * got.load.dimensions * 4.0, float(got.load.vectors)] for got in results]
    (base, slope, per_vector), residual = fit(columns, [float(got.restarted) for got in results])
    print(f"\nafter restart and query = {base / MB:.1f} MB + N x ({slope:.3f} x 4 x dim + {per_vector:.0f} B)")
    print(f"  largest residual {residual / MB:.1f} MB; idle {max(got.idle for got in results) / MB:.1f} MB")
    extra = [got.ingest_peak - got.restarted for got in results]
    raw = [got.load.batch_rows * got.load.dimensions * 4 for got in results]
    (start, factor), residual = fit([[1.0, float(size)] for size in raw], [float(each) for each in extra])
    print(f"ingest peak above that = {start / MB:.1f} MB + {factor:.1f} x batch bytes; residual {residual / MB:.1f} MB")
    print(
        "  per load: "
        + ", ".join(f"{each / MB:.0f} MB ({each / size:.0f}x)" for each, size in zip(extra, raw, strict=True))
    )
    embedding = max(got.embedded_peak - got.idle for got in results)
    print(f"embedding {len(texts)} texts: at most {embedding / MB:.0f} MB above idle")


if __name__ == "__main__":
    main()
