"""One index of Chroma's: a folder with five files that hold the vectors, their graph, and the ids.

How chromadb 1.5.9 writes them, found out on real stores (tests/unit/store) and in its hnswlib:

- A save rewrites in place, without fsync or rename: `header.bin`, then the changed elements of `data_level0.bin`,
  `length.bin` and `link_lists.bin`, then all of `index_metadata.pickle`, then `max_seq_id` in SQLite.
- Elements are appended and never removed: a delete only marks one. An update of an id overwrites its element, an id
  written again after a delete gets a new one.
- `data_level0.bin` holds no more than the elements, however much room the header says there is in memory.
- An update of the only live element never reaches the files (hnswlib does not mark it as changed).
"""

from store.index.elements import Elements
from store.index.files import FILE_NAMES, IndexTorn, Stamp, size_bytes, stamp
from store.index.header import Header, read_header
from store.index.ids import IdSummary, read_ids
from store.index.links import Levels, read_levels

__all__ = [
    "FILE_NAMES",
    "Elements",
    "Header",
    "IdSummary",
    "IndexTorn",
    "Levels",
    "Stamp",
    "read_header",
    "read_ids",
    "read_levels",
    "size_bytes",
    "stamp",
]
