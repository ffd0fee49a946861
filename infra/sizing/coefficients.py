"""What one unit of each thing costs, measured on Chroma 1.5.9. docs/sizing.md tells how.

Two processes can hold the data: Chroma's own server, and the API with Chroma embedded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MB = 1_000_000
MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Process:
    """Memory of a process that holds Chroma.

    Attributes:
        name: What it is, for the table.
        base_bytes: Resident before the first record.
        vector_overhead_bytes: Resident per record beyond its 4 bytes a dimension (graph links, ids, labels).
        ingest_base_bytes: Kept after the first write, whatever its size.
        ingest_factor: Kept after writes per byte of raw vectors in the largest batch.
        embedding_bytes: Kept by the local model after texts of its whole window; 0 without a model.
    """

    name: str
    base_bytes: int
    vector_overhead_bytes: int
    ingest_base_bytes: int
    ingest_factor: int
    embedding_bytes: int


# `chroma run`: RSS = 119 MB + N x (4 x dimensions + 496 B), residual under 1 MB on 12 loads. UUIDs as ids: +47 B.
SERVER = Process(
    "Chroma server",
    base_bytes=119 * MB,
    vector_overhead_bytes=543,
    ingest_base_bytes=0,
    ingest_factor=20,
    embedding_bytes=0,
)
# RSS = 183 MB + N x (1.005 x 4 x dimensions + 482 B), residual 1.5 MB on 8 loads; the server's 543 B covers it.
EMBEDDED = Process(
    "API with Chroma embedded",
    base_bytes=184 * MB,
    vector_overhead_bytes=543,
    ingest_base_bytes=10 * MB,
    ingest_factor=24,
    embedding_bytes=148 * MB,
)
# A model without local weights: the API takes ready-made vectors only.
OWN_VECTORS = replace(EMBEDDED, name="API with Chroma embedded, own vectors", embedding_bytes=0)
# The API without a store: texts are embedded and bodies parsed in it, nothing is kept. RSS after its first requests in
# a container: 158 MB, the model among it.
REPLICA = Process(
    "API replica",
    base_bytes=160 * MB,
    vector_overhead_bytes=0,
    ingest_base_bytes=10 * MB,
    ingest_factor=24,
    embedding_bytes=148 * MB,
)
REPLICA_OWN_VECTORS = replace(REPLICA, name="API replica, own vectors", embedding_bytes=0)
# Bodies that are let in together, and what a byte of one costs: as text, as parsed values, as arrays.
BODIES_IN_FLIGHT = 2
BODY_FACTOR = 3

# The guard in front of the server, and the process that reads everything that is stored once a day.
GUARD_BYTES = 45 * MB
SCRUB_BYTES = 60 * MB

# At 100,000 x 384 all of them together 273 MB at most: Litestream, rclone, restic, the daemon, and who takes a base.
ARCHIVER_BYTES = 360 * MB
# A restore of it 147 MB at most, beside the server that a drill starts: rclone, and either restic or Litestream.
RESTORE_BYTES = 200 * MB

# A loaded collection, however small: label locks of its index, and its four files.
COLLECTION_BYTES = 2_750_000
COLLECTION_FILES = 4
# Shared libraries, SQLite's pool with its WAL and shared memory, sockets that listen, the event loop.
PROCESS_FILES = 128

# Disk, bytes a record: HNSW files (level 0 links, labels, pickled ids) beside the raw vector ...
INDEX_OVERHEAD_BYTES = 300
# ... its rows in SQLite, and what a byte of text or metadata becomes there (trigram index, key-value rows) ...
ROW_BYTES = 900
DOCUMENT_FACTOR = 10
METADATA_FACTOR = 4
# ... and a row of the durable log: vector, text and metadata once more.
LOG_ROW_BYTES = 400
# An empty store, its WAL at the checkpoint limit, and SQLite's temporary files.
STORE_BASE_BYTES = 64 * MB

# At the target, as files after 20,000 and 100,000 x 384 were written, short texts, 4,200 to 4,400 B of store a row: the
# archive 3,300 to 4,300 B a row, which is 165 % of SQLite's share at most (a whole copy, and all of it in steps) ...
ARCHIVE_PERCENT = 165
# ... and bases 2,600 to 2,850 B a row: packed, and what two bases share is there once.
BASES_PERCENT = 65
# A moment is restored from a whole copy of the file before it, and steps from there on: days from one copy to the next,
# or as many as the archive reaches back. Fewer copies take less, and a restore reads more steps.
SNAPSHOT_DAYS = 3

# Rebuilding an index from the log: 20,000 x 384 in 19.5 s, 100,000 x 384 in 156 s of CPU; a busy machine takes longer.
REBUILD_VECTORS_PER_S_AT_384 = 500
START_BASE_S = 30
# A write in flight when the stop comes: 225 records a second with texts of 1 kB is the slowest rate measured.
SLOWEST_WRITE_ROWS_PER_S = 225
STOP_BASE_S = 15

# Chroma's documentation: millions of 1,024-dimensional vectors = 0.245 x GB of memory. Shown beside, never used:
# it allows for the raw vectors only, no base, no ingest, no headroom.
RULE_MILLION_VECTORS_PER_GB = 0.245
RULE_DIMENSIONS = 1_024
