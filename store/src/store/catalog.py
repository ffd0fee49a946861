"""Which collections a store has, as SQLite knows them: segments, dimensions, space, and how far the log is applied."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

_SELECT = """
SELECT collections.id, collections.name, coalesce(databases.tenant_id, ''), coalesce(databases.name, ''),
       collections.dimension, collections.config_json_str, collections.schema_str,
       vectors.id, records.id, vector_seq.seq_id, record_seq.seq_id,
       (SELECT str_value FROM collection_metadata
        WHERE collection_id = collections.id AND key = 'hnsw:space')
FROM collections
LEFT JOIN databases ON databases.id = collections.database_id
LEFT JOIN segments AS vectors ON vectors.collection = collections.id AND vectors.scope = 'VECTOR'
LEFT JOIN segments AS records ON records.collection = collections.id AND records.scope = 'METADATA'
LEFT JOIN max_seq_id AS vector_seq ON vector_seq.segment_id = vectors.id
LEFT JOIN max_seq_id AS record_seq ON record_seq.segment_id = records.id
ORDER BY collections.id
"""

DEFAULT_SPACE = "l2"
INTERNAL_DATABASE = "cortex_internal"
"""Of the canaries of guard and API: nothing in it is a user's."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection of any database and tenant. Numbers of rows are those of the log (`seq_id`)."""

    id: str
    name: str
    tenant: str
    database: str
    dimensions: int | None
    """None before the first record."""
    space: str
    """`l2`, `cosine` or `ip`."""
    vector_segment: str
    """Also the name of the index's folder; empty when the row is missing."""
    metadata_segment: str
    vector_seq: int | None
    """Last row in the saved index; None when none was ever saved."""
    metadata_seq: int | None
    """Last row in the records; None before the first record."""

    @property
    def label(self) -> str:
        """The name, with its database where that is not the default."""
        return self.name if self.database == "default_database" else f"{self.database}/{self.name}"


def collections(database: sqlite3.Connection) -> tuple[Collection, ...]:
    """All collections, in order of their id."""
    found = []
    for row in database.execute(_SELECT):
        id_, name, tenant, database_name, dimensions, config, schema = row[:7]
        vector_segment, metadata_segment, vector_seq, metadata_seq, legacy_space = row[7:]
        found.append(
            Collection(
                id=str(id_),
                name=str(name),
                tenant=str(tenant),
                database=str(database_name),
                dimensions=dimensions,
                space=space_of(schema, config) or legacy_space or DEFAULT_SPACE,
                vector_segment=vector_segment or "",
                metadata_segment=metadata_segment or "",
                vector_seq=number(vector_seq),
                metadata_seq=number(metadata_seq),
            )
        )
    return tuple(found)


def segment_ids(database: sqlite3.Connection) -> frozenset[str]:
    """Ids of all segments; an index folder of another name belongs to nothing."""
    return frozenset(str(id_) for (id_,) in database.execute("SELECT id FROM segments"))


def is_index_folder(path: Path) -> bool:
    """Chroma names an index folder after its segment: 36 characters of a UUID."""
    return len(path.name) == 36 and path.name.count("-") == 4 and path.is_dir() and not path.is_symlink()


def index_folders(store: Path) -> frozenset[str]:
    """Names of all index folders in the store."""
    return frozenset(entry.name for entry in store.iterdir() if is_index_folder(entry))


def number(seq_id: object) -> int | None:
    """A `seq_id`, which older versions of Chroma stored as a big-endian blob."""
    if seq_id is None:
        return None
    return int.from_bytes(seq_id, "big") if isinstance(seq_id, bytes) else int(str(seq_id))


def space_of(schema: str | None, config: str | None) -> str | None:
    """The distance that Chroma stored in a collection's schema, or in the configuration of versions before it."""
    try:
        vectors = json.loads(schema or "null")["keys"]["#embedding"]["float_list"]["vector_index"]
        return str(vectors["config"]["space"])
    except (KeyError, TypeError, ValueError):
        pass
    try:
        return str(json.loads(config or "null")["hnsw"]["space"])
    except (KeyError, TypeError, ValueError):
        return None
