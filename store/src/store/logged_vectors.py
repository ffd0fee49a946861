"""Which log row gives each id its vector, for the rows that came after a saved index."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from store.supersession import Operation

GONE = 0
"""Instead of a row: the id was deleted."""
_ROWS = """
SELECT seq_id, id, operation, vector IS NOT NULL FROM embeddings_queue
WHERE substr(topic, -36) = ? AND seq_id > ? AND seq_id <= ? ORDER BY seq_id
"""


def setting_rows(
    database: sqlite3.Connection, collection_id: str, *, after: int, until: int, exists: Callable[[str], bool]
) -> dict[str, int]:
    """The row that sets the vector of each id which the rows concern, or `GONE`.

    Ids whose vector these rows leave as it is are not in it. In memory at once: between two saves of an index there
    are about 1,000 rows.

    Args:
        database: connection.
        collection_id: whose rows.
        after: last row that the saved index has; 0 when there is none.
        until: last row that the records have.
        exists: whether the saved index has an id.
    """
    found: dict[str, int] = {}
    for seq_id, id_, operation, has_vector in database.execute(_ROWS, (collection_id, after, until)):
        there = found[id_] != GONE if id_ in found else exists(id_)
        if operation == Operation.DELETE:
            found[id_] = GONE
        elif has_vector and operation in {Operation.UPSERT, Operation.UPDATE if there else Operation.ADD}:
            found[id_] = seq_id
    return found
