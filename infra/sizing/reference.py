"""The coefficients as a Markdown table, each with where its number comes from, for docs/sizing.md."""

from __future__ import annotations

from collections.abc import Iterator

from infra.sizing import coefficients as c

_ROWS = (
    (
        "process, API with Chroma embedded",
        f"{c.EMBEDDED.base_bytes / c.MB:g} MB",
        "`tests/bench/measure_api_memory.py`: the API in its container, model loaded, empty store",
    ),
    (
        "process, Chroma server",
        f"{c.SERVER.base_bytes / c.MB:g} MB",
        "`chroma run` 1.5.9, regression over 12 loads (10k to 100k records, 128 to 1,024 dimensions), residual < 1 MB",
    ),
    (
        "process, API replica",
        f"{c.REPLICA.base_bytes / c.MB:g} MB",
        "RSS of a replica in its container after its first requests, model loaded: 158 MB",
    ),
    (
        "record in memory",
        f"4 x dimensions + {c.EMBEDDED.vector_overhead_bytes} B"
        + (
            f" (server: {c.SERVER.vector_overhead_bytes} B)"
            if c.SERVER.vector_overhead_bytes != c.EMBEDDED.vector_overhead_bytes
            else ""
        ),
        "the same two fits: 482 and 496 B with short ids; a UUID as id adds 47 B",
    ),
    (
        "writing",
        f"{c.EMBEDDED.ingest_base_bytes / c.MB:g} MB + {c.EMBEDDED.ingest_factor} x the largest batch's raw vectors"
        + (f" (server: {c.SERVER.ingest_factor} x)" if c.SERVER.ingest_factor != c.EMBEDDED.ingest_factor else ""),
        "resident after loading beyond the resident after a restart, the same two fits; never handed back",
    ),
    (
        "collection in use",
        f"{c.COLLECTION_BYTES / c.MB:g} MB, {c.COLLECTION_FILES} open files",
        "1,200 collections made and dropped: 2.76 MB and 4 descriptors each, however small (65,536 label locks)",
    ),
    (
        "requests",
        f"{c.BODIES_IN_FLIGHT} x {c.BODY_FACTOR} x the largest body",
        "bodies let in together; bytes, text, parsed values and arrays of each (`tests/deploy/test_sizing_holds.py`)",
    ),
    (
        "embedding",
        f"{c.EMBEDDED.embedding_bytes / c.MB:g} MB",
        "`tests/deploy/test_sizing_holds.py`: kept and used again; 100,000 x 384 peaked at 493 to 584 MB in four runs",
    ),
    (
        "record on disk, index",
        f"4 x dimensions + {c.INDEX_OVERHEAD_BYTES} B",
        "HNSW files with M = 16: 132 B of links, label, upper levels, pickled ids; rounded up",
    ),
    (
        "record on disk, SQLite",
        f"{c.ROW_BYTES} B + {c.DOCUMENT_FACTOR} x text + {c.METADATA_FACTOR} x metadata",
        "50,000 texts of 1 kB with three metadata keys: 565 MB, most of it the trigram index",
    ),
    (
        "row of the log",
        f"4 x dimensions + {c.LOG_ROW_BYTES} B + text + metadata",
        "20,000 x 128: 4 x dimensions + 140 to 400 B a row; every write stays in the log",
    ),
    (
        "room to compact",
        "records and log once more",
        "SQLite's VACUUM writes a second file before it drops the first",
    ),
    (
        "archive at the target",
        f"{c.ARCHIVE_PERCENT} % of log and records, and a copy of them every {c.SNAPSHOT_DAYS} days",
        "`make bench-recovery`, 20,000 and 100,000 x 384 with short texts: 3,300 to 4,300 B a row beside a store of"
        " 4,200 to 4,400 B; copies: Litestream's snapshots of the whole file, kept that much longer than"
        " `archive_days`",
    ),
    (
        "bases at the target",
        f"{c.BASES_PERCENT} % of the store",
        "likewise: 2,600 to 2,850 B a row; what several bases share is there once",
    ),
    (
        "start-up",
        f"{c.START_BASE_S} s + 1 s for {c.REBUILD_VECTORS_PER_S_AT_384:,} vectors x 384",
        "an index rebuilt from the log on 2 cores: 20,000 x 384 in 19.5 s, 100,000 in 156 s of CPU",
    ),
    (
        "stop grace",
        f"{c.STOP_BASE_S} s + 1 s for {c.SLOWEST_WRITE_ROWS_PER_S} rows of the largest batch",
        "slowest rate measured: texts of 1 kB with metadata",
    ),
    (
        "open files",
        f"{c.PROCESS_FILES} + {c.COLLECTION_FILES} a collection + 2 a request",
        "descriptors of the running server",
    ),
)


def table() -> str:
    """All coefficients with their sources."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| what | cost | measured |"
    yield "| --- | --- | --- |"
    for what, cost, source in _ROWS:
        yield f"| {what} | {cost} | {source} |"
