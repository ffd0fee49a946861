"""Ingest and queries with and without the guard, the kept log and its journal; interleaved, to share disturbances."""

from __future__ import annotations

import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.recovery.clients import Client
from tests.recovery.guarded import Guarded, GuardedChroma
from tests.recovery.rows import row_id, text_of, vectors_of
from tests.recovery.servers import Api, Server, Stock

DIMENSIONS = 384
_BATCH_ROWS = 500
_INGEST_BATCHES = 3
_QUERIES = 100
_NAME = "bench"


@dataclass
class Variant:
    """A server and its times."""

    name: str
    server: Server
    against: str
    """The variant without what this one adds; empty for a baseline."""
    client: Client | None = None
    ingest_s: list[float] = field(default_factory=list)
    """Per block."""
    query_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Ratio:
    """Throughput of a variant as a share of its baseline's: medians of the blocks' ratios."""

    name: str
    against: str
    ingest: float
    ingest_low: float
    """First quartile."""
    ingest_high: float
    query: float
    query_low: float
    query_high: float


def measure(folder: Path, blocks: int) -> list[Ratio]:
    """Run all variants side by side, each in its turn within a block."""
    with _variants(folder) as variants:
        for variant in variants:
            variant.client = variant.server.connect()
            variant.client.create(_NAME, "l2", DIMENSIONS)
            _ingest(variant, 0)
        source = random.Random(1)  # noqa: S311 -- an order
        _query(variants, 0, source)
        for block in range(1, blocks + 1):
            for variant in source.sample(variants, len(variants)):
                variant.ingest_s.append(_ingest(variant, block))
            for variant, took_s in zip(variants, _query(variants, block, source), strict=True):
                variant.query_s.append(took_s)
        for variant in variants:
            rows = len(variant.ingest_s) * _INGEST_BATCHES * _BATCH_ROWS
            print(
                f"{variant.name:16} {rows / sum(variant.ingest_s):7.0f} rows/s in batches of {_BATCH_ROWS}, query "
                f"{1e3 * statistics.median(variant.query_s) / _QUERIES:.2f} ms",
                flush=True,
            )
        found = {variant.name: variant for variant in variants}
        return [_ratio(each, found[each.against]) for each in variants if each.against]


def _ratio(variant: Variant, base: Variant) -> Ratio:
    ingest = [mine / own for mine, own in zip(base.ingest_s, variant.ingest_s, strict=True)]
    query = [mine / own for mine, own in zip(base.query_s, variant.query_s, strict=True)]
    ingest_low, ingest_middle, ingest_high = statistics.quantiles(ingest, n=4)
    query_low, query_middle, query_high = statistics.quantiles(query, n=4)
    return Ratio(variant.name, base.name, ingest_middle, ingest_low, ingest_high, query_middle, query_low, query_high)


@contextmanager
def _variants(folder: Path) -> Iterator[list[Variant]]:
    dimensions = {"CORTEX_DIMENSIONS": str(DIMENSIONS)}
    # Chroma's three lines a request are switched off in the image, and would be charged to whoever passes them on.
    quiet = {"RUST_LOG": "warn"}
    variants = [
        Variant("stock", Stock(folder / "stock", quiet), ""),
        Variant("kept log", Stock(folder / "log", quiet), "stock"),
        Variant("kept log, WAL", Stock(folder / "wal", quiet), "stock"),
        Variant("guarded chroma", GuardedChroma(folder / "guarded-chroma", quiet), "stock"),
        Variant("API", Api(folder / "api", dimensions), ""),
        Variant("guarded API", Guarded(folder / "guarded-api", dimensions), "API"),
    ]
    try:
        for variant in variants:
            if variant.name.startswith("kept log"):
                _prepare(variant.server.store, wal=variant.name.endswith("WAL"))
            variant.server.start()
            variant.server.wait_ready()
        yield variants
    finally:
        for variant in variants:
            if variant.client is not None:
                variant.client.close()
            variant.server.remove()


def _prepare(store: Path, *, wal: bool) -> None:
    subprocess.run([sys.executable, "-m", "cortex_api.schema", store], check=True, timeout=60)
    subprocess.run([sys.executable, "-m", "store", "prepare", store], check=True, capture_output=True, timeout=60)
    if not wal:
        connection = sqlite3.connect(store / "chroma.sqlite3")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()


def _ingest(variant: Variant, block: int) -> float:
    """Seconds for the block's rows; making them does not count, sending them does."""
    assert variant.client is not None
    took_s = 0.0
    for batch in range(_INGEST_BATCHES):
        first = (block * _INGEST_BATCHES + batch) * _BATCH_ROWS
        rows = list(range(first, first + _BATCH_ROWS))
        vectors = vectors_of(rows, [1] * _BATCH_ROWS, DIMENSIONS)
        ids, texts = [row_id(row) for row in rows], [text_of(row, 1) for row in rows]
        started = time.perf_counter()
        variant.client.write(_NAME, ids, vectors, texts)
        took_s += time.perf_counter() - started
    return took_s


def _query(variants: Sequence[Variant], block: int, source: random.Random) -> list[float]:
    """Seconds of each variant for the block's queries. Each query goes to all of them before the next one."""
    vectors = vectors_of(list(range(block * _QUERIES, (block + 1) * _QUERIES)), [2] * _QUERIES, DIMENSIONS)
    took_s = [0.0] * len(variants)
    for vector in vectors:
        for number in source.sample(range(len(variants)), len(variants)):
            client = variants[number].client
            assert client is not None
            started = time.perf_counter()
            client.nearest(_NAME, vector, 10)
            took_s[number] += time.perf_counter() - started
    return took_s
