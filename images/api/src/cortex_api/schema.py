"""`python -m cortex_api.schema PATH`: let Chroma create its tables in an empty folder, and end."""

from __future__ import annotations

import sys
from pathlib import Path

from cortex_api import chroma_library


def create(path: Path) -> None:
    """Create chroma.sqlite3 in `path`."""
    chroma_library.chroma().PersistentClient(path=str(path), settings=chroma_library.settings()).close()


if __name__ == "__main__":
    create(Path(sys.argv[1]))
