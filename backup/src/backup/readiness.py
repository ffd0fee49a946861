"""May the store be archived and copied yet?"""

from __future__ import annotations

from pathlib import Path

from store.archiving import is_wanted_closed
from store.database import database_path, opened_to_read
from store.preparation import check_prepared

import store
from store import schema


def waits_for(path: Path) -> str:
    """What has to happen first; empty when nothing.

    Raises:
        StoreError: it is no store, or cannot be read.
    """
    if not database_path(path).exists():
        return "waits for the server to make the store"
    if is_wanted_closed(path):
        return "the database is closed for a moment: it is prepared, mended or maintained"
    with opened_to_read(path) as database:
        try:
            schema.check(database)
            check_prepared(path, database)
        except store.NotPrepared:
            return "waits for the guard to prepare the store"
        except store.NotAStore:
            return "waits for the server to make its tables"
    return ""
