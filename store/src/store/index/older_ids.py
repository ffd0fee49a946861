"""`index_metadata.pickle` as Chroma before 1.0 wrote it: Chroma 1.5.9 reads it, and rewrites it at the next save."""

from __future__ import annotations

import pickle
from typing import Any, BinaryIO

from store.index.files import IDS, IndexTorn

_CLASS = ("chromadb.segment.impl.vector.local_persistent_hnsw", "PersistentData")


class PersistentIds:
    """Stands in for Chroma's class: holds what was pickled, and does nothing."""

    total_elements_added: int
    id_to_label: dict[str, int]
    label_to_id: dict[int, str]


class _Unpickler(pickle.Unpickler):
    """Makes built-in values and the one class; whatever else a file names is refused, so nothing is executed."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == _CLASS:
            return PersistentIds
        raise IndexTorn(f"{IDS} names {module}.{name}, which Chroma does not write")


def read_older(file: BinaryIO) -> PersistentIds:
    """Read the file whole: about 300 bytes of memory per id.

    Raises:
        IndexTorn: it is cut, or not what Chroma wrote.
    """
    try:
        found = _Unpickler(file).load()
    except IndexTorn:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise IndexTorn(f"{IDS} cannot be read ({type(error).__name__})") from error
    if not isinstance(found, PersistentIds):
        raise IndexTorn(f"{IDS} holds {type(found).__name__}, which Chroma does not write")
    try:
        total, labels, ids = found.total_elements_added, found.id_to_label, found.label_to_id
        whole = isinstance(total, int) and {label: id_ for id_, label in labels.items()} == ids
    except (AttributeError, TypeError):
        whole = False
    if not whole:
        raise IndexTorn(f"{IDS} lacks a part, or its two maps contradict each other")
    return found
